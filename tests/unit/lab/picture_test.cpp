// The picture's arithmetic, and that nothing of a run is missing in it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "report/picture.h"
#include "report/svg.h"

namespace flare::lab {
namespace {

TEST(RoundTicks, CoverTheRangeInRoundSteps) {
  EXPECT_EQ(round_ticks({0, 120}, 6), (std::vector<double>{0, 20, 40, 60, 80, 100, 120}));
  EXPECT_EQ(round_ticks({0, 1400}, 7),
            (std::vector<double>{0, 200, 400, 600, 800, 1000, 1200, 1400}));
  EXPECT_EQ(round_ticks({0, 0}, 7).size(), 1U);
}

TEST(Frame, MapsUpwardsAndKeepsWhatIsBeyondAtTheEdge) {
  const Frame frame{{10, 20}, 100, 50, {0, 10}, {0, 1}};
  EXPECT_EQ(frame.at(5, 0).x, 60);
  EXPECT_EQ(frame.at(5, 0).y, 70);
  EXPECT_EQ(frame.at(5, 1).y, 20);
  EXPECT_EQ(frame.at(5, 9).y, 20);
}

TEST(Picture, NamesItsRunsAndEscapesThem) {
  RunSummary run;
  run.label = "with <Flare> & more";
  run.seconds.resize(3);
  const std::string picture = picture_of({run, run}, {});
  EXPECT_NE(picture.find("with &lt;Flare&gt; &amp; more"), std::string::npos);
  EXPECT_NE(picture.find("requests per second"), std::string::npos);
  EXPECT_NE(picture.find("milliseconds"), std::string::npos);
  EXPECT_TRUE(picture.ends_with("</svg>\n"));
}

}  // namespace
}  // namespace flare::lab
