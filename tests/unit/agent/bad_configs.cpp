#include "bad_configs.h"

#include "discovery/file_source.h"

namespace flare::test {

const std::string_view kGoodConfig = R"(interfaces:
  - name: eth0
    mode: auto
services:
  - name: web
    frontend: 192.0.2.10:80
    protocol: tcp
    policy: formula
    capacity_rps: 438
    formula: {interval: 1s, significance: 0}
    spend: {per_second: 500, burst: 500, per_hour: 100000}
    price: {memory_mb: 1769, duration_ms: 84}
    snat: [192.0.2.10, 192.0.2.11]
    serverless:
      - endpoint: 198.51.100.20:8080
        weight: 3
      - endpoint: 198.51.100.21:8080
        state: active
  - name: dns
    frontend: "[2001:db8::53]:53"
    protocol: udp
nat:
  port_min: 10240
  port_max: 29999
  reserve: true
timeouts:
  tcp_established: 1h
limits:
  services: 3
  backends: 4
agent:
  state_dir: /var/lib/flare
  heartbeat_bound: 5s
  log_level: info
)";

HostPorts test_host() { return {{32768, 60999}, {{40000, 40009}}}; }

std::string BadConfig::text() const {
  if (remove.empty()) return std::string(insert);
  std::string text(kGoodConfig);
  text.replace(text.find(remove), remove.size(), insert);
  return text;
}

namespace {

using namespace std::string_view_literals;

// clang-format off
const std::vector<BadConfig> kFileCases{
  {"NoDocument", "", "\n", "", "", "an empty configuration"},
  {"OnlyAComment", "", "# nothing\n", "", "", "an empty configuration"},
  {"AScalar", "", "flare\n", "1:1", "", "found \"flare\"; accepted: a map with the keys interfaces"},
  {"AList", "", "- interfaces\n", "1:1", "", "found a list"},
  {"NoSections", "", "{}\n", "1:1", "interfaces", "found no such key"},
  {"InvalidByte", "eth0", "eth\xff", "2:14", "", "found the byte 255; accepted: text in UTF-8"},
  {"ZeroByte", "eth0", "eth\0"sv, "2:14", "", "found the byte 0"},
  {"OverlongUtf8", "eth0", "eth\xc0\x80", "2:14", "", "found the byte 192"},
  {"UnclosedList", "[192.0.2.10, 192.0.2.11]", "[192.0.2.10", "14:15", "", "not YAML"},
  {"UnclosedQuote", "\"[2001:db8::53]:53\"", "\"[2001:db8::53]:53", "20:15", "services[1].frontend", "found the text \"[2001:db8::53]:53 protocol"},
  {"UnquotedIpv6", "\"[2001:db8::53]:53\"", "[2001:db8::53]:53", "20:29", "", "needs quotes"},
  {"Tab", "  port_min", "\tport_min", "23:10", "", "not YAML"},
  {"Alias", "interval: 1s", "interval: *x", "10:25", "", "not YAML"},
  {"Anchor", "interval: 1s", "interval: &x 1s", "10:25", "", "found an anchor"},
  {"AnchorAndAlias", "", "a: &x [1]\nb: *x\n", "1:4", "", "found an anchor"},
  {"Tag", "interval: 1s", "interval: !!str 1s", "10:25", "", "found a tag"},
  {"SecondDocument", "agent:", "---\nagent:", "32:1", "", "found a second document"},
  {"TooDeep", "1769", "[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "12:36", "", "nesting deeper than 16 levels"},
};

const std::vector<BadConfig> kKeyCases{
  {"UnknownSection", "timeouts:", "timeout:", "26:1", "timeout", "the unknown key \"timeout\" (did you mean \"timeouts\"?)"},
  {"UnknownServiceKey", "capacity_rps", "capacity", "9:5", "services[0].capacity", "(did you mean \"capacity_rps\"?)"},
  {"UnknownBackendKey", "weight", "wieght", "16:9", "services[0].serverless[0].wieght", "(did you mean \"weight\"?)"},
  {"UnknownFarKey", "log_level: info", "verbosity: 3", "34:3", "agent.verbosity", "the unknown key \"verbosity\"; accepted: control_socket"},
  {"UnknownNatKey", "port_max", "port_maximum", "24:3", "nat.port_maximum", "(did you mean \"port_max\"?)"},
  {"UnknownSpendKey", "per_hour", "perhour", "11:42", "services[0].spend.perhour", "(did you mean \"per_hour\"?)"},
  {"KeyInCapitals", "reserve:", "Reserve:", "25:3", "nat.Reserve", "(did you mean \"reserve\"?)"},
  {"KeyIsAList", "reserve:", "[reserve]:", "25:3", "nat", "found a list as a key"},
  {"DuplicateSection", "timeouts:", "nat:\n", "26:1", "nat", "the key a second time (first in line 22)"},
  {"DuplicateKey", "    policy: formula\n", "    policy: formula\n    policy: observe\n", "9:5", "services[0].policy", "the key a second time (first in line 8)"},
  {"DuplicateQuotedKey", "    policy: formula\n", "    policy: formula\n    \"policy\": observe\n", "9:5", "services[0].policy", "a second time"},
  {"NoName", "  - name: dns\n    frontend", "  - frontend", "19:5", "services[1].name", "found no such key"},
  {"NoFrontend", "    frontend: 192.0.2.10:80\n", "", "5:5", "services[0].frontend", "found no such key"},
  {"NoEndpoint", "endpoint: 198.51.100.21:8080\n        ", "", "17:9", "services[0].serverless[1].endpoint", "found no such key"},
};

const std::vector<BadConfig> kTypeCases{
  {"ServicesIsAMap", "  - name: dns", "    name: dns", "19:5", "services[0].name", "the key a second time"},
  {"SectionIsNull", "  tcp_established: 1h\n", "", "26:1", "timeouts", "found nothing; accepted: a map"},
  {"SectionIsAList", "  tcp_established: 1h", "  - 1h", "27:3", "timeouts", "found a list; accepted: a map"},
  {"InterfacesIsText", "interfaces:\n  - name: eth0\n    mode: auto\n", "interfaces: eth0\n", "1:13", "interfaces", "found \"eth0\"; accepted: a list"},
  {"TextForANumber", "438", "\"438\"", "9:19", "services[0].capacity_rps", "in quotes it is text, not a number"},
  {"WordForANumber", "438", "many", "9:19", "services[0].capacity_rps", "found \"many\"; accepted: a number from 0.1"},
  {"NumberWithUnit", "438", "438rps", "9:19", "services[0].capacity_rps", "found \"438rps\""},
  {"ListForANumber", "438", "[438]", "9:19", "services[0].capacity_rps", "found a list"},
  {"NullForANumber", "438", "", "9:5", "services[0].capacity_rps", "found nothing"},
  {"ZeroCapacity", "438", "0", "9:19", "services[0].capacity_rps", "found \"0\"; accepted: a number from 0.1 to 10000000"},
  {"NegativeCapacity", "438", "-438", "9:19", "services[0].capacity_rps", "found \"-438\""},
  {"HugeCapacity", "438", "1e308", "9:19", "services[0].capacity_rps", "found \"1e308\""},
  {"OverflowingCapacity", "438", "1e999", "9:19", "services[0].capacity_rps", "found \"1e999\""},
  {"NanCapacity", "438", "nan", "9:19", "services[0].capacity_rps", "found \"nan\""},
  {"YamlNanCapacity", "438", ".nan", "9:19", "services[0].capacity_rps", "found \".nan\""},
  {"InfiniteCapacity", "438", ".inf", "9:19", "services[0].capacity_rps", "found \".inf\""},
  {"NegativeZero", "438", "-0.0", "9:19", "services[0].capacity_rps", "found \"-0.0\""},
  {"HexNumber", "438", "0x1b6", "9:19", "services[0].capacity_rps", "found \"0x1b6\""},
  {"OctalInteger", "weight: 3", "weight: 03", "16:17", "services[0].serverless[0].weight", "found \"03\""},
  {"FractionForAnInteger", "weight: 3", "weight: 2.5", "16:17", "services[0].serverless[0].weight", "a whole number from 0 to 65535"},
  {"NegativeWeight", "weight: 3", "weight: -1", "16:17", "services[0].serverless[0].weight", "found \"-1\""},
  {"HugeWeight", "weight: 3", "weight: 65536", "16:17", "services[0].serverless[0].weight", "found \"65536\""},
  {"OverflowingInteger", "weight: 3", "weight: 99999999999999999999", "16:17", "services[0].serverless[0].weight", "found \"99999999999999999999\""},
  {"IntegerWithUnderscore", "100000}", "100_000}", "11:52", "services[0].spend.per_hour", "found \"100_000\""},
  {"YesForAFlag", "reserve: true", "reserve: yes", "25:12", "nat.reserve", "found \"yes\"; accepted: true or false"},
  {"QuotedFlag", "reserve: true", "reserve: \"true\"", "25:12", "nat.reserve", "found the text \"true\""},
  {"DurationWithoutUnit", "interval: 1s", "interval: 1", "10:25", "services[0].formula.interval", "a time with its unit (ms, s, m, h)"},
  {"DurationWithFraction", "interval: 1s", "interval: 0.5s", "10:25", "services[0].formula.interval", "found \"0.5s\""},
  {"DurationWithSpace", "interval: 1s", "interval: 1 s", "10:25", "services[0].formula.interval", "found \"1 s\""},
  {"NegativeDuration", "tcp_established: 1h", "tcp_established: -1h", "27:20", "timeouts.tcp_established", "found \"-1h\""},
  {"ZeroDuration", "tcp_established: 1h", "tcp_established: 0s", "27:20", "timeouts.tcp_established", "from 1s to 168h"},
  {"HugeDuration", "tcp_established: 1h", "tcp_established: 99999999999h", "27:20", "timeouts.tcp_established", "found \"99999999999h\""},
  {"ZeroSpendRate", "per_second: 500", "per_second: 0", "11:25", "services[0].spend.per_second", "found \"0\""},
  {"ZeroBurst", "burst: 500", "burst: 0", "11:37", "services[0].spend.burst", "found \"0\""},
  {"NoPrefixShare", "burst: 500", "prefix_share: 0", "11:44", "services[0].spend.prefix_share", "found \"0\"; accepted: a number from 0.001 to 1 (of per_second and burst for one prefix of clients; 1 is no limit)"},
  {"PrefixShareInPercent", "burst: 500", "prefix_share: 10", "11:44", "services[0].spend.prefix_share", "found \"10\"; accepted: a number from 0.001 to 1"},
  {"NegativeFloodRate", "log_level: info", "flood_rate: -1", "34:15", "agent.flood_rate", "found \"-1\"; accepted: a whole number from 0 to 100000000 (new flows a second on one CPU; 0 is no limit)"},
  {"FractionForAFloodRate", "log_level: info", "flood_rate: 0.5", "34:15", "agent.flood_rate", "found \"0.5\""},
  {"NegativePrice", "duration_ms: 84", "duration_ms: -84", "12:43", "services[0].price.duration_ms", "found \"-84\""},
};

const std::vector<BadConfig> kWordCases{
  {"UnknownMode", "mode: auto", "mode: native", "3:11", "interfaces[0].mode", "found \"native\"; accepted: auto, xdp, tc"},
  {"UnknownProtocol", "protocol: tcp", "protocol: sctp", "7:15", "services[0].protocol", "accepted: tcp, udp"},
  {"UnknownPolicy", "policy: formula", "policy: capped", "8:13", "services[0].policy", "accepted: observe, formula, cap"},
  {"UnknownPlacement", "protocol: tcp", "placement: proxy", "7:16", "services[0].placement", "accepted: receiver, balancer, sender"},
  {"UnknownSnatMode", "protocol: tcp", "snat_mode: sometimes", "7:16", "services[0].snat_mode", "accepted: always, never, auto"},
  {"UnknownSelect", "protocol: tcp", "select: random", "7:13", "services[0].select", "accepted: hash, least"},
  {"UnknownChain", "protocol: tcp", "chain: drop", "7:12", "services[0].chain", "accepted: return, stay, vm"},
  {"AffinityWithoutUnit", "protocol: tcp", "affinity: 60", "7:15", "services[0].affinity", "a time with its unit"},
  {"AffinityTooLong", "protocol: tcp", "affinity: 25h", "7:15", "services[0].affinity", "from 0ms to 24h"},
  {"UnknownCheck", "protocol: tcp", "health: {check: ping}", "7:21", "services[0].health.check", "accepted: none, tcp, http"},
  {"UnknownHealthKey", "protocol: tcp", "health: {intervall: 2s}", "7:14", "services[0].health.intervall", "(did you mean \"interval\"?)"},
  {"HealthPortZero", "protocol: tcp", "health: {port: 0}", "7:20", "services[0].health.port", "a whole number from 1 to 65535"},
  {"HealthPathRelative", "protocol: tcp", "health: {check: http, path: status}", "7:33", "services[0].health.path", "from a / on"},
  {"HealthPathWithSpace", "protocol: tcp", "health: {check: http, path: \"/a b\"}", "7:33", "services[0].health.path", "visible ASCII characters"},
  {"HealthHostWithNewline", "protocol: tcp", "health: {check: http, host: \"a\\r\\nb\"}", "7:33", "services[0].health.host", "253 visible ASCII characters"},
  {"HealthStatusReversed", "protocol: tcp", "health: {check: http, status: 399-200}", "7:35", "services[0].health.status", "found \"399-200\"; accepted: a status from 100 to 599"},
  {"HealthStatusOfNothing", "protocol: tcp", "health: {check: http, status: 99}", "7:35", "services[0].health.status", "a status from 100 to 599"},
  {"HealthStatusOpen", "protocol: tcp", "health: {check: http, status: 200-}", "7:35", "services[0].health.status", "found \"200-\""},
  {"HealthTooOften", "protocol: tcp", "health: {interval: 10ms}", "7:24", "services[0].health.interval", "from 100ms to 1h"},
  {"HealthNoRise", "protocol: tcp", "health: {rise: 0}", "7:20", "services[0].health.rise", "a whole number from 1 to 100"},
  {"HealthPassiveWord", "protocol: tcp", "health: {passive: true}", "7:23", "services[0].health.passive", "accepted: off, on"},
  {"HealthEjectsMoreThanAll", "protocol: tcp", "health: {eject_max: 1.5}", "7:25", "services[0].health.eject_max", "a number from 0 to 1"},
  {"HealthEjectsForNoTime", "protocol: tcp", "health: {eject_time: 0s}", "7:26", "services[0].health.eject_time", "from 1s to 1h"},
  {"HealthSlowStartTooLong", "protocol: tcp", "health: {slow_start: 2h}", "7:26", "services[0].health.slow_start", "from 0ms to 1h"},
  {"UnknownState", "state: active", "state: gone", "18:16", "services[0].serverless[1].state", "accepted: active, draining, down"},
  {"UnknownLevel", "log_level: info", "log_level: loud", "34:14", "agent.log_level", "accepted: trace, debug, info, warning, error"},
  {"NameWithCapitals", "name: web", "name: Web", "5:11", "services[0].name", "1 to 63 of a-z, 0-9 and -"},
  {"NameWithNewline", "name: web", "name: \"web\\nroot\"", "5:11", "services[0].name", "found the text \"web?root\""},
  {"NameWithPath", "name: web", "name: ../web", "5:11", "services[0].name", "found \"../web\""},
  {"NameWithQuote", "name: web", "name: 'we\"b'", "5:11", "services[0].name", "1 to 63"},
  {"NameWithEmoji", "name: web", "name: \"\xf0\x9f\x94\xa5\"", "5:11", "services[0].name", "found the text \"????\""},
  {"NameTooLong", "name: web", "name: a234567890b234567890c234567890d234567890e234567890f234567890g234", "5:11", "services[0].name", "..."},
  {"EmptyName", "name: web", "name: \"\"", "5:11", "services[0].name", "found the text \"\""},
  {"InterfaceWithSlash", "name: eth0", "name: a/b", "2:11", "interfaces[0].name", "the name of a network interface"},
  {"InterfaceTooLong", "name: eth0", "name: abcdefghijklmnop", "2:11", "interfaces[0].name", "the name of a network interface"},
  {"PatternWithoutAStar", "name: eth0", "match: eth0", "2:12", "interfaces[0].match", "a pattern of names of network interfaces as veth*"},
  {"PatternWithSlash", "name: eth0", "match: a/*", "2:12", "interfaces[0].match", "a pattern of names"},
  {"CgroupRelative", "nat:\n", "cgroups: [user.slice]\nnat:\n", "22:11", "cgroups[0]", "an absolute path"},
  {"SourceIsAName", "nat:\n", "serverless_sources: [lambda]\nnat:\n", "22:22", "serverless_sources[0]", "a prefix as 192.0.2.0/24"},
  {"SourceWithHostBits", "nat:\n", "serverless_sources: [192.0.2.1/24]\nnat:\n", "22:22", "serverless_sources[0]", "with no bit set behind it"},
  {"SourceTooLong", "nat:\n", "serverless_sources: [192.0.2.0/33]\nnat:\n", "22:22", "serverless_sources[0]", "found \"192.0.2.0/33\""},
  {"RelativePath", "/var/lib/flare", "var/lib/flare", "32:14", "agent.state_dir", "an absolute path"},
  {"ClimbingPath", "/var/lib/flare", "/var/lib/../flare", "32:14", "agent.state_dir", "without .."},
};

const std::vector<BadConfig> kAddressCases{
  {"FrontendWithoutPort", "192.0.2.10:80", "192.0.2.10", "6:15", "services[0].frontend", "an address and port as 192.0.2.1:80"},
  {"FrontendPortZero", "192.0.2.10:80", "192.0.2.10:0", "6:15", "services[0].frontend", "an address and port"},
  {"FrontendPortTooLarge", "192.0.2.10:80", "192.0.2.10:65536", "6:15", "services[0].frontend", "an address and port"},
  {"FrontendPortName", "192.0.2.10:80", "192.0.2.10:http", "6:15", "services[0].frontend", "an address and port"},
  {"FrontendShortAddress", "192.0.2.10:80", "192.0.2:80", "6:15", "services[0].frontend", "an address and port"},
  {"FrontendOctalAddress", "192.0.2.10:80", "192.0.02.10:80", "6:15", "services[0].frontend", "an address and port"},
  {"Ipv6WithoutBrackets", "\"[2001:db8::53]:53\"", "\"2001:db8::53:53\"", "20:15", "services[1].frontend", "an address and port"},
  {"Ipv6WithScope", "\"[2001:db8::53]:53\"", "\"[fe80::1%eth0]:53\"", "20:15", "services[1].frontend", "an address and port"},
  {"MappedIpv4", "\"[2001:db8::53]:53\"", "\"[::ffff:192.0.2.1]:53\"", "20:15", "services[1].frontend", "an address and port"},
  {"Ipv4InBrackets", "192.0.2.10:80", "\"[192.0.2.10]:80\"", "6:15", "services[0].frontend", "an address and port"},
  {"BackendHostName", "198.51.100.20:8080", "lambda.example.com:443", "15:19", "services[0].serverless[0].endpoint", "found \"lambda.example.com:443\""},
  {"BackendLoopback", "198.51.100.20:8080", "127.0.0.1:8080", "15:19", "services[0].serverless[0].endpoint", "127.0.0.1:8080, a loopback address"},
  {"BackendLinkLocal", "198.51.100.20:8080", "169.254.1.1:8080", "15:19", "services[0].serverless[0].endpoint", "a link-local address"},
  {"BackendMulticast", "198.51.100.20:8080", "224.0.0.1:8080", "15:19", "services[0].serverless[0].endpoint", "a multicast address"},
  {"BackendUnspecified", "198.51.100.20:8080", "0.0.0.0:8080", "15:19", "services[0].serverless[0].endpoint", "an unspecified address"},
  {"BackendBroadcast", "198.51.100.20:8080", "255.255.255.255:8080", "15:19", "services[0].serverless[0].endpoint", "a broadcast or reserved address"},
  {"FrontendIpv6Unspecified", "[2001:db8::53]", "[::]", "20:15", "services[1].frontend", "an unspecified address"},
  {"FrontendIpv6Loopback", "[2001:db8::53]", "[::1]", "20:15", "services[1].frontend", "a loopback address"},
  {"FrontendIpv6LinkLocal", "[2001:db8::53]", "[fe80::1]", "20:15", "services[1].frontend", "a link-local address"},
  {"FrontendIpv6Multicast", "[2001:db8::53]", "[ff02::1]", "20:15", "services[1].frontend", "a multicast address"},
  {"SnatLoopback", "192.0.2.11]", "127.0.0.2]", "13:24", "services[0].snat[1]", "127.0.0.2, a loopback address"},
  {"SnatWithPort", "192.0.2.11]", "192.0.2.11:80]", "13:24", "services[0].snat[1]", "an address as 192.0.2.1"},
};

const std::vector<BadConfig> kTogetherCases{
  {"NeitherNameNorMatch", "name: eth0\n    mode: auto", "mode: auto", "2:5", "interfaces[0]", "neither name nor match; accepted: one of them"},
  {"NameAndMatch", "name: eth0", "name: eth0\n    match: veth*", "3:12", "interfaces[0]", "name and match; accepted: one of them"},
  {"PatternTwice", "name: eth0\n", "match: veth*\n  - match: veth*\n", "3:12", "interfaces[1].match", "\"veth*\" a second time"},
  {"CgroupsWithoutASender", "nat:\n", "cgroups: [/sys/fs/cgroup/user.slice]\nnat:\n", "22:11", "cgroups", "cgroups without a service that is a sender"},
  {"CgroupTwice", "nat:\n", "cgroups: [/sys/fs/cgroup/a, /sys/fs/cgroup/a/]\nnat:\n", "22:29", "cgroups[1]", "\"/sys/fs/cgroup/a\" a second time"},
  {"SourceTwice", "nat:\n", "serverless_sources: [192.0.2.7, 192.0.2.7/32]\nnat:\n", "22:33", "serverless_sources[1]", "192.0.2.7/32 a second time"},
  {"VmAtAReceiver", "protocol: tcp", "vm: [{endpoint: 198.51.100.9:80}]", "7:9", "services[0].vm", "VM backends with placement receiver, whose VM tier is this host"},
  {"BalancerWithoutVm", "protocol: tcp", "placement: balancer", "5:5", "services[0].vm", "no VM backend with placement balancer"},
  {"SenderWithoutVm", "protocol: tcp", "placement: sender", "5:5", "services[0].vm", "no VM backend with placement sender; accepted: at least one VM backend, [] where a control plane adds them, or placement receiver"},
  {"SenderWithVmThatIsNothing", "protocol: tcp", "placement: sender\n    vm:", "8:5", "services[0].vm", "found nothing; accepted: a list"},
  {"ServiceAndBackendTellWorkers", "protocol: tcp", "workers: 8\n    placement: balancer\n    vm: [{endpoint: 198.51.100.9:80, workers: 4}]", "7:14", "services[0].workers", "workers of the service and of its VM backends, which are added up; accepted: workers of the one or of the others"},
  {"ServiceAndBackendTellCapacity", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.9:80, capacity_rps: 40}]", "10:19", "services[0].capacity_rps", "capacity_rps of the service and of its VM backends"},
  {"OneBackendTellsNoWorkers", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.8:80, workers: 4}, {endpoint: 198.51.100.9:80}]", "8:62", "services[0].vm[1].workers", "no workers, which other VM backends of the service have; accepted: workers of each VM backend, or of none"},
  {"OneBackendTellsNoCapacity", "    capacity_rps: 438\n", "    placement: balancer\n    vm: [{endpoint: 198.51.100.8:80}, {endpoint: 198.51.100.9:80, capacity_rps: 4}]\n", "10:21", "services[0].vm[0].capacity_rps", "no capacity_rps, which other VM backends of the service have"},
  {"BackendWithoutWorkersAtAll", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.9:80, workers: 0}]", "8:47", "services[0].vm[0].workers", "a whole number from 1 to 1000000"},
  {"BackendWithTooMuchCapacity", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.9:80, capacity_rps: 1e8}]", "8:52", "services[0].vm[0].capacity_rps", "a number from 0.1 to 10000000"},
  {"ServerlessBackendWithWorkers", "weight: 3", "workers: 3", "16:18", "services[0].serverless[0].workers", "workers of a serverless backend; accepted: workers of VM backends alone"},
  {"BackendWorkersForUdp", "protocol: udp", "protocol: udp\n    placement: balancer\n    vm: [{endpoint: \"[2001:db8::9]:53\", workers: 4}]", "23:50", "services[1].vm[0].workers", "a cap on requests for UDP"},
  {"VmWeightsZero", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.9:80, weight: 0}]", "8:9", "services[0].vm", "weight 0 for every backend"},
  {"VmTwice", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.9:80}, {endpoint: 198.51.100.9:80}]", "8:50", "services[0].vm[1].endpoint", "198.51.100.9:80 a second time"},
  {"BackendInBothTiers", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 198.51.100.20:8080}]", "16:19", "services[0].serverless[0].endpoint", "198.51.100.20:8080, which is in vm too"},
  {"VmOfTheOtherFamily", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: \"[2001:db8::9]:80\"}]", "8:21", "services[0].vm[0].endpoint", "of the other family; accepted: IPv4"},
  {"VmIsTheFrontend", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 192.0.2.10:80}]", "8:21", "services[0].vm[0].endpoint", "192.0.2.10:80, the frontend of service \"web\""},
  {"VmIsASnatPort", "protocol: tcp", "placement: balancer\n    vm: [{endpoint: 192.0.2.11:10240}]", "8:21", "services[0].vm[0].endpoint", "a SNAT address and port of service \"web\""},
  {"SnatModeAtAReceiver", "protocol: tcp", "snat_mode: always", "7:16", "services[0].snat_mode", "snat_mode with placement receiver; accepted: snat_mode with placement balancer"},
  {"SnatAtASender", "protocol: tcp", "placement: sender\n    vm: [{endpoint: 198.51.100.9:80}]", "14:12", "services[0].snat", "addresses with placement sender"},
  {"MoveIdleAtABalancer", "protocol: tcp", "placement: balancer\n    move: close\n    move_idle: on\n    vm: [{endpoint: 198.51.100.9:80}]", "9:16", "services[0].move_idle", "resets of idle connections with placement balancer"},
  {"ChainWithoutSources", "protocol: tcp", "chain: stay", "7:12", "services[0].chain", "chain stay without serverless_sources"},
  {"ChainVmWithoutSources", "protocol: tcp", "chain: vm", "7:12", "services[0].chain", "chain vm without serverless_sources"},
  {"HealthTimeoutAboveInterval", "protocol: tcp", "health: {interval: 1s, timeout: 2s}", "7:37", "services[0].health.timeout", "2000ms; accepted: at most health.interval (1000ms)"},
  {"HealthIntervalBelowTheTimeout", "protocol: tcp", "health: {interval: 500ms}", "7:13", "services[0].health.timeout", "1000ms; accepted: at most health.interval (500ms)"},
  {"HealthPathWithoutHttp", "protocol: tcp", "health: {check: tcp, path: /status}", "7:32", "services[0].health", "path, host or status without check: http"},
  {"NoInterface", "  - name: eth0\n    mode: auto\n", "  []\n", "", "interfaces", "at least one network interface"},
  {"InterfaceTwice", "    mode: auto\n", "  - name: eth0\n", "3:11", "interfaces[1].name", "\"eth0\" a second time"},
  {"NameTwice", "name: dns", "name: web", "19:11", "services[1].name", "the name of services[0] too"},
  {"FrontendTwice", "\"[2001:db8::53]:53\"\n    protocol: udp", "192.0.2.10:80", "20:15", "services[1].frontend", "192.0.2.10:80/tcp of service \"dns\", the frontend of service \"web\" too"},
  {"BackendTwice", "198.51.100.21:8080", "198.51.100.20:8080", "17:19", "services[0].serverless[1].endpoint", "a second time"},
  {"BackendIsTheFrontend", "198.51.100.21:8080", "192.0.2.10:80", "17:19", "services[0].serverless[1].endpoint", "whose address is the frontend of service \"web\""},
  {"BackendOnTheFrontendsHost", "198.51.100.21:8080", "192.0.2.10:8080", "17:19", "services[0].serverless[1].endpoint", "an address of another host"},
  {"BackendIsASnatAddress", "198.51.100.21:8080", "192.0.2.11:10240", "17:19", "services[0].serverless[1].endpoint", "whose address is a SNAT address of service \"web\""},
  {"BackendOfTheOtherFamily", "198.51.100.21:8080", "\"[2001:db8::1]:8080\"", "17:19", "services[0].serverless[1].endpoint", "of the other family; accepted: IPv4"},
  {"SnatOfTheOtherFamily", "192.0.2.11]", "\"2001:db8::1\"]", "13:24", "services[0].snat[1]", "of the other family; accepted: IPv4"},
  {"SnatTwice", "192.0.2.11]", "192.0.2.10]", "13:24", "services[0].snat[1]", "192.0.2.10 a second time"},
  {"TooManySnat", "192.0.2.11]", "192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 192.0.2.5, 192.0.2.6, 192.0.2.7, 192.0.2.8]", "13:101", "services[0].snat", "9 addresses; accepted: at most 8"},
  {"FormulaWithoutCapacity", "    capacity_rps: 438\n", "", "8:13", "services[0].policy", "formula without capacity_rps"},
  {"FormulaWithoutBackends", "protocol: udp", "policy: formula\n    capacity_rps: 9", "19:5", "services[1].serverless", "no backend to spill to"},
  {"CapWithoutBackends", "protocol: udp", "policy: cap", "19:5", "services[1].serverless", "with policy cap;"},
  {"DefaultPolicyWithoutBackends", "    protocol: udp\n", "", "19:5", "services[1].serverless", "with policy cap, the default; accepted: at least one serverless backend, or policy: observe"},
  {"ConnectionsWithoutWorkers", "policy: formula", "policy: cap\n    counting: connections", "9:15", "services[0].counting", "counting connections with policy cap and without workers"},
  {"ReportedWithoutWorkers", "policy: formula", "policy: cap\n    counting: reported", "9:15", "services[0].counting", "counting reported with policy cap and without workers"},
  {"CountingForUdp", "protocol: udp", "protocol: udp\n    counting: reported", "22:15", "services[1].counting", "counting reported for UDP, whose flows are counted; accepted: auto"},
  {"UnknownCounting", "policy: formula", "policy: formula\n    counting: turns", "9:15", "services[0].counting", "accepted: auto, connections, reported"},
  {"UnknownMove", "policy: formula", "policy: formula\n    move: request", "9:11", "services[0].move", "accepted: none, close"},
  {"MoveForUdp", "protocol: udp", "protocol: udp\n    move: close", "22:11", "services[1].move", "moving connections of UDP, which has none; accepted: none"},
  {"MoveWithConnections", "policy: formula", "policy: formula\n    counting: connections\n    move: close", "10:11", "services[0].move", "move close with counting connections, which sees no answers"},
  {"UnknownMoveIdle", "policy: formula", "policy: formula\n    move: close\n    move_idle: yes", "10:16", "services[0].move_idle", "accepted: off, on"},
  {"MoveIdleWithoutMove", "policy: formula", "policy: formula\n    move_idle: on", "9:16", "services[0].move_idle", "resets of idle connections without move: close; accepted: off, or move: close"},
  {"MoveRateOfNothing", "policy: formula", "policy: formula\n    move_rate: 0", "9:16", "services[0].move_rate", "0.001 to 1"},
  {"CapForUdp", "protocol: udp", "protocol: udp\n    policy: cap\n    workers: 4", "22:13", "services[1].policy", "a cap on requests for UDP"},
  {"WorkersForUdp", "protocol: udp", "protocol: udp\n    workers: 4", "22:14", "services[1].workers", "formula or observe, without workers"},
  {"NoWorkers", "policy: formula", "policy: formula\n    workers: 0", "9:14", "services[0].workers", "a whole number from 1 to 1000000"},
  {"ObserveWithFloor", "policy: formula", "policy: observe\n    min_share: 0.1", "9:16", "services[0].min_share", "a floor with policy observe"},
  {"FloorAboveOne", "policy: formula", "min_share: 1.5", "8:16", "services[0].min_share", "a number from 0 to 1"},
  {"AllWeightsZero", "weight: 3\n      - endpoint: 198.51.100.21:8080\n        state: active", "weight: 0", "15:7", "services[0].serverless", "weight 0 for every backend"},
  {"TooManyServices", "services: 3", "services: 1", "19:5", "services", "2 services; accepted: at most 1"},
  {"TooManyBackends", "backends: 4", "backends: 2", "29:3", "limits.backends", "2 backends in all services; accepted: at most 1"},
  {"LimitAboveTheMap", "services: 3", "services: 4097", "29:13", "limits.services", "a whole number from 1 to 4096"},
  {"ZeroLimit", "services: 3", "services: 0", "29:13", "limits.services", "found \"0\""},
  {"NatReversed", "port_max: 29999", "port_max: 10239", "24:13", "nat.port_min", "the reversed range 10240-10239"},
  {"NatMeetsEphemeral", "port_max: 29999", "port_max: 32768", "24:13", "nat.port_min", "of which the host gives out 32768-32768 to its own sockets"},
  {"NatInsideEphemeral", "10240\n  port_max: 29999", "39999\n  port_max: 40009", "24:13", "nat.port_min", "gives out 39999-39999"},
  {"NatHoldsAFrontend", "192.0.2.10:80", "192.0.2.10:20000", "6:15", "services[0].frontend", "a port of the range 10240-29999"},
  {"NatPrivileged", "port_min: 10240", "port_min: 80", "23:13", "nat.port_min", "a whole number from 1024 to 65535"},
  {"NatPortTooLarge", "port_max: 29999", "port_max: 70000", "24:13", "nat.port_max", "found \"70000\""},
  {"IntervalBeyondTheBeat", "interval: 1s", "interval: 3s", "5:5", "services[0].formula.interval", "at most half of agent.heartbeat_bound (5000ms)"},
};
// clang-format on

}  // namespace

const std::vector<BadConfig>& bad_configs() {
  static const std::vector<BadConfig> all = [] {
    std::vector<BadConfig> cases;
    for (const auto& part :
         {kFileCases, kKeyCases, kTypeCases, kWordCases, kAddressCases, kTogetherCases}) {
      cases.insert(cases.end(), part.begin(), part.end());
    }
    return cases;
  }();
  return all;
}

namespace {

/// `text` as a cell of a Markdown table: one line, nothing that would end the cell.
std::string cell(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if (c == '\n') {
      shown += "⏎";
    } else if (c == '\t') {
      shown += "⇥";
    } else if (c == '|') {
      shown += "\\|";
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      shown += "\\x";
      shown += kHex[byte >> 4U];
      shown += kHex[byte & 0xfU];
    } else {
      shown += c;
    }
  }
  return shown.empty() ? "(nothing)" : "`" + shown + "`";
}

}  // namespace

std::string bad_configs_table() {
  std::string table =
      "# Bad configurations and what they get\n\n"
      "Generated by `print_bad_configs` from the cases of `tests/unit/agent/bad_configs.cpp`; a "
      "test holds\nthis file to them. Each case replaces a part of this file, which is "
      "accepted:\n\n"
      "```yaml\n" +
      std::string(kGoodConfig) +
      "```\n\n"
      "| case | instead of | stands | `flared --check` says |\n|---|---|---|---|\n";
  for (const BadConfig& bad : bad_configs()) {
    const Verdict verdict = read_config_text(bad.text(), test_host());
    std::string says;
    for (const Problem& problem : verdict.problems) {
      if (!says.empty()) says += "<br>";
      says += cell(to_text(problem, "flare.yaml"));
    }
    table += "| " + std::string(bad.name) + " | " +
             (bad.remove.empty() ? "the whole file" : cell(bad.remove)) + " | " + cell(bad.insert) +
             " | " + says + " |\n";
  }
  return table;
}

}  // namespace flare::test
