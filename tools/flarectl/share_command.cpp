// flarectl share set|auto, and reload: what flared changes on request.
#include <charconv>

#include "flarectl/agent_client.h"
#include "flarectl/commands.h"

namespace flare::ctl {
namespace {

struct SetOptions {
  std::string service;
  std::string share;
};
struct AutoOptions {
  std::string service;
};
struct ReloadOptions {};

int make_auto(const Context& context, const AutoOptions& options) {
  return ask_and_print(context, "share auto",
                       {{"command", "share-auto"}, {"service", options.service}});
}

int set(const Context& context, const SetOptions& options) {
  if (options.share == "auto") return make_auto(context, {options.service});
  double share = -1;
  const char* end = options.share.data() + options.share.size();
  auto [rest, failed] = std::from_chars(options.share.data(), end, share);
  bool sound = failed == std::errc() && rest == end && share >= 0 && share <= 1;
  if (!sound) {
    return fail(kUsage, "the share is a number from 0 (none) to 1 (all new flows), or auto; not '" +
                            options.share + "'");
  }
  return ask_and_print(context, "share set",
                       {{"command", "share-set"}, {"service", options.service}, {"share", share}});
}

int reload(const Context& context, const ReloadOptions&) {
  return ask_and_print(context, "reload", {{"command", "reload"}});
}

}  // namespace

void add_share(CLI::App& app, Context& context) {
  CLI::App& noun = *app.add_subcommand("share", "the share of new flows that goes to serverless");
  noun.require_subcommand(1);
  CLI::App& set_command =
      *noun.add_subcommand("set", "pin the share of a service, or give it back with 'auto'");
  auto& set_options = command_options<SetOptions>(set_command, context, set);
  set_command.add_option("SERVICE", set_options.service, "the service's name")->required();
  set_command.add_option("SHARE", set_options.share, "0 to 1, or auto")->required();
  CLI::App& auto_command = *noun.add_subcommand("auto", "let the policy decide again");
  auto& auto_options = command_options<AutoOptions>(auto_command, context, make_auto);
  auto_command.add_option("SERVICE", auto_options.service, "the service's name")->required();
  CLI::App& reload_command =
      *app.add_subcommand("reload", "have flared read its configuration again; flows go on");
  command_options<ReloadOptions>(reload_command, context, reload);
}

}  // namespace flare::ctl
