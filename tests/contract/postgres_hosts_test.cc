// Which of several PostgreSQL servers is asked first.

#include "billing/ledger/postgres_hosts.h"

#include <gtest/gtest.h>

namespace payg::billing {
namespace {

TEST(PostgresHosts, AreInTheOrderOfTheUrlAtFirst) {
  const auto order = PostgresHosts("postgresql://u@a:1,b:2,c:3/db").order();
  EXPECT_EQ(order.hosts, "a,b,c");
  EXPECT_EQ(order.ports, "1,2,3");
  EXPECT_EQ(order.addresses, "");
}

TEST(PostgresHosts, LeaveAUrlWithOneServerAsItIs) {
  for (const char* url : {"postgresql://u@a:1/db", "postgresql://", "postgresql://?host=/tmp&port=7"}) {
    const auto order = PostgresHosts(url).order();
    EXPECT_EQ(order.hosts + order.addresses + order.ports, "") << url;
  }
}

TEST(PostgresHosts, LeaveListsThatDoNotFitTogetherToLibpq) {
  EXPECT_EQ(PostgresHosts("postgresql://?host=a,b,c&port=1,2").order().hosts, "");
}

TEST(PostgresHosts, TheOneThatWorksGoesToTheFrontAndTheSilentOneToTheBack) {
  PostgresHosts hosts("postgresql://u@a:1,b:2,c:3/db");
  hosts.note_connected("b", "2");
  EXPECT_EQ(hosts.order().hosts, "b,a,c");
  EXPECT_EQ(hosts.order().ports, "2,1,3");
  hosts.note_silent("b", "2");
  EXPECT_EQ(hosts.order().hosts, "a,c,b");
  EXPECT_EQ(hosts.order().ports, "1,3,2");
}

TEST(PostgresHosts, ThoseOfOneNameAreToldApartByTheirPorts) {
  PostgresHosts hosts("postgresql://u@a:1,a:2/db");
  hosts.note_connected("a", "2");
  EXPECT_EQ(hosts.order().ports, "2,1");
}

TEST(PostgresHosts, APortThatIsNotSaidIsTheUsualOne) {
  PostgresHosts hosts("postgresql://a,b/db");
  EXPECT_EQ(hosts.order().ports, "");
  hosts.note_connected("b", "5432");
  EXPECT_EQ(hosts.order().hosts, "b,a");
}

TEST(PostgresHosts, OnePortStandsForAll) {
  EXPECT_EQ(PostgresHosts("postgresql://?host=a,b&port=7").order().ports, "7,7");
}

TEST(PostgresHosts, AddressesMoveWithTheirNames) {
  PostgresHosts hosts("postgresql://?host=a,b&hostaddr=10.0.0.1,10.0.0.2");
  hosts.note_connected("b", "5432");
  EXPECT_EQ(hosts.order().hosts, "b,a");
  EXPECT_EQ(hosts.order().addresses, "10.0.0.2,10.0.0.1");
}

TEST(PostgresHosts, AnAddressWithoutANameIsKnownByItself) {
  PostgresHosts hosts("postgresql://?hostaddr=10.0.0.1,10.0.0.2");
  hosts.note_connected("10.0.0.2", "5432");
  EXPECT_EQ(hosts.order().addresses, "10.0.0.2,10.0.0.1");
  EXPECT_EQ(hosts.order().hosts, "");
}

TEST(PostgresHosts, OfManyFourAreAskedAtATimeAndTheOthersWhenTheseAreAway) {
  PostgresHosts hosts("postgresql://u@a:1,b:2,c:3,d:4,e:5,f:6/db");
  EXPECT_EQ(hosts.order().hosts, "a,b,c,d");
  EXPECT_EQ(hosts.order().ports, "1,2,3,4");
  hosts.note_all_away(hosts.order());
  EXPECT_EQ(hosts.order().hosts, "e,f,a,b");
  hosts.note_connected("a", "1");
  EXPECT_EQ(hosts.order().hosts, "a,e,f,b");
}

TEST(PostgresHosts, SeveralWhoFindTheSameOrderAwayAtOnceAskTheOthersNext) {
  PostgresHosts hosts("postgresql://u@a:1,b:2,c:3,d:4,e:5,f:6,g:7,h:8/db");
  const auto one = hosts.order(), another = hosts.order();
  hosts.note_all_away(one);
  hosts.note_all_away(another);
  EXPECT_EQ(hosts.order().hosts, "e,f,g,h");
}

TEST(PostgresHosts, AnOrderThatWasAwayIsTheOneThatWasAskedWhateverTheOrderIsByThen) {
  PostgresHosts hosts("postgresql://u@a:1,b:2,c:3,d:4,e:5,f:6/db");
  const auto asked = hosts.order();
  hosts.note_connected("f", "6");
  hosts.note_all_away(asked);
  EXPECT_EQ(hosts.order().hosts, "f,e,a,b");
}

TEST(PostgresHosts, WhenAllAreAwayTheyAreAskedInTheSameOrderAgain) {
  PostgresHosts hosts("postgresql://u@a:1,b:2/db");
  hosts.note_all_away(hosts.order());
  EXPECT_EQ(hosts.order().hosts, "a,b");
}

TEST(PostgresHosts, SilencesAreCountedAlsoOfAServerThatIsAlone) {
  PostgresHosts hosts("postgresql://u@a:1/db");
  EXPECT_EQ(hosts.silences(), 0U);
  hosts.note_silent("a", "1");
  EXPECT_EQ(hosts.silences(), 1U);
}

}  // namespace
}  // namespace payg::billing
