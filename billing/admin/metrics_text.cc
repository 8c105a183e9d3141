#include "billing/admin/metrics_text.h"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

namespace payg::billing {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily result;
  result.name = std::move(name);
  result.help = std::move(help);
  result.type = type;
  return result;
}

void put(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (family.type == MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily counter(std::string name, std::string help, std::uint64_t value) {
  MetricFamily result = family(std::move(name), std::move(help), MetricType::Counter);
  put(result, static_cast<double>(value));
  return result;
}

MetricFamily gauge(std::string name, std::string help, std::uint64_t value) {
  MetricFamily result = family(std::move(name), std::move(help), MetricType::Gauge);
  put(result, static_cast<double>(value));
  return result;
}

// The text format wants all samples of one name together.
void add_proxy(std::vector<MetricFamily>& families, const std::vector<plugin::Metric>& proxy) {
  std::map<std::string, MetricFamily> by_name;
  for (const plugin::Metric& sample : proxy) {
    const auto type = sample.kind == plugin::Metric::Kind::counter ? MetricType::Counter : MetricType::Gauge;
    auto& result = by_name.try_emplace(sample.name, family(sample.name, sample.help, type)).first->second;
    std::vector<ClientMetric::Label> labels;
    for (const auto& [name, value] : sample.labels) labels.push_back({name, value});
    put(result, sample.value, std::move(labels));
  }
  for (auto& [name, result] : by_name) families.push_back(std::move(result));
}

MetricFamily charge_latency(const LatencyHistogram& histogram) {
  MetricFamily result = family("payg_charge_latency_seconds",
                               "From a charge's deadline to the ledger's answer.", MetricType::Histogram);
  ClientMetric metric;
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < histogram.bounds_s.size(); ++i) {
    cumulative += histogram.counts[i];
    metric.histogram.bucket.push_back({.cumulative_count = cumulative, .upper_bound = histogram.bounds_s[i]});
  }
  metric.histogram.sample_count = cumulative + histogram.counts.back();
  metric.histogram.sample_sum = histogram.sum_s;
  result.metric.push_back(std::move(metric));
  return result;
}

MetricFamily charge_wait(std::chrono::milliseconds wait) {
  MetricFamily result =
      family("payg_charge_wait_seconds", "How long the batch of charges under way has waited for its answer.",
             MetricType::Gauge);
  put(result, std::chrono::duration<double>(wait).count());
  return result;
}

void add_metering(std::vector<MetricFamily>& families, const MeteringCounters& metering) {
  families.push_back(counter("payg_sessions_started_total",
                             "Sessions that began: their first increment may still be refused.",
                             metering.sessions_started));
  families.push_back(counter("payg_sessions_ended_total", "Sessions that ended.", metering.sessions_ended));
  families.push_back(
      gauge("payg_sessions_live", "Sessions that this node meters now.", metering.sessions_live));
  families.push_back(
      counter("payg_charges_total", "Increments bought by sessions of this process.", metering.charges));
  families.push_back(counter("payg_charged_units_total", "What they cost; 3,600,000 units are one credit.",
                             metering.charged_units));
  families.push_back(counter("payg_charge_batches_total", "Batches in which charges went to the ledger.",
                             metering.charge_batches));
  families.push_back(
      gauge("payg_charges_owed", "Charges that wait for the ledger's answer.", metering.charges_owed));
  families.push_back(gauge("payg_charges_spooled", "Of these, those that are in the node's spool.",
                           metering.charges_spooled));
  families.push_back(gauge("payg_spool_up", "0 while the node's spool cannot be written, else 1.",
                           !metering.spool_is_broken));
  families.push_back(charge_wait(metering.charge_wait));
  families.push_back(charge_latency(metering.charge_latency));
}

void add_reception(std::vector<MetricFamily>& families, const ReceptionCounters& reception) {
  families.push_back(counter("payg_wrong_tokens_total",
                             "Clients refused for a wrong token or a name that nobody has.",
                             reception.wrong_tokens));
  families.push_back(
      counter("payg_throttled_attempts_total",
              "Clients refused unheard, because too many wrong tokens came from their address.",
              reception.throttled));
  families.push_back(counter("payg_refused_from_memory_total",
                             "Clients refused for what was read within the last second.",
                             reception.refused_from_memory));
  families.push_back(counter("payg_standing_reads_total",
                             "Questions to the ledger for who may come in, each for all who waited.",
                             reception.standing_reads));
}

MetricFamily admin_requests(const RequestCounts& requests) {
  MetricFamily result =
      family("payg_admin_requests_total", "Requests that the admin port answered.", MetricType::Counter);
  for (const auto& [by, count] : requests)
    put(result, static_cast<double>(count),
        {{"route", std::string(by.route)}, {"status", std::to_string(by.status)}});
  return result;
}

}  // namespace

std::string metrics_text(const std::vector<plugin::Metric>& proxy, const MeteringCounters& metering,
                         LedgerState ledger, const RequestCounts& requests) {
  std::vector<MetricFamily> families;
  add_proxy(families, proxy);
  add_metering(families, metering);
  add_reception(families, metering.reception);
  families.push_back(gauge("payg_ledger_up", "1 while the ledger answers and takes charges, else 0.",
                           ledger == LedgerState::up));
  families.push_back(admin_requests(requests));
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace payg::billing
