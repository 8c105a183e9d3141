#include "tests/integration/held_proxy.h"

namespace payg::test {

void PermittingPlugin::admit(const plugin::AdmissionRequest& request,
                             plugin::AdmissionAnswer answer) noexcept {
  if (denies)
    return answer.deny({.reason = plugin::Reason::payment_required, .detail = "not now", .url = {}});
  const bool is_free = request.target_host == free_host;
  answer.accept({.session = is_free ? free_session : session,
                 .location = {},
                 .traffic = is_free ? &free_traffic_ : &traffic});
}

namespace {

config::ExitConfig direct_exit() {
  config::ExitConfig exit;
  exit.name = "direct";
  return exit;
}

proxy::Entrance entrance_by(Transport transport) {
  proxy::Entrance entrance;
  if (transport == Transport::plain) return entrance;
  const TempFolder folder;
  const TestCertificate made = TestCertificate::make();
  entrance.tls = proxy::TlsContext::load(folder.write(certificate_file, made.certificate),
                                         folder.write(key_file, made.key))
                     .value();
  return entrance;
}

}  // namespace

HeldProxy::HeldProxy(std::uint64_t bytes_per_second_of_a_user, Transport transport)
    : transport_(transport),
      exits_(
          std::make_shared<const proxy::ExitTable>(std::vector{direct_exit()}, config::ExitHealthConfig{})),
      guard_({*Cidr::parse("127.0.0.0/8")}),
      user_limits_({.most_connections = 1000, .bytes_per_second = bytes_per_second_of_a_user}) {
  for (auto& plugin : plugins_) EXPECT_TRUE(chain_.add(plugin));
  UniqueFd listening = proxy::listen_on(SocketAddress::parse("127.0.0.1:0").value());
  address_ = local_address(listening.get()).value();
  worker_ = std::make_unique<proxy::Worker>(proxy::Shared{.clock = clock_,
                                                          .settings = settings_,
                                                          .exits = exits_,
                                                          .guard = guard_,
                                                          .plugins = chain_,
                                                          .user_limits = user_limits_,
                                                          .client_addresses = client_addresses_,
                                                          .connection_limit = connection_limit_,
                                                          .access_log = access_log_,
                                                          .nameservers = nameservers_,
                                                          .most_pipes = 16},
                                            0);
  worker_->add_listener(std::move(listening), entrance_by(transport));
  worker_->start();
}

HeldProxy::~HeldProxy() {
  worker_->stop();
  EXPECT_EQ(held(), 0U);
  for (const auto& each : plugins_) EXPECT_EQ(each.closed, each.established) << "each is told once";
}

RawClient HeldProxy::tunnel(const Origin& origin) const {
  RawClient client = connect();
  if (http_connect(client, origin.authority()).status != 200) throw HarnessError("no tunnel");
  return client;
}

RawClient HeldProxy::socks_tunnel(const Origin& origin) const {
  RawClient client = connect();
  if (socks::open(client, socks::connect_to(origin.address())).code != 0) throw HarnessError("no tunnel");
  return client;
}

}  // namespace payg::test
