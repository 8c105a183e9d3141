#include "billing/payments/https_client.h"

#include <curl/curl.h>
#include <pthread.h>

#include <csignal>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>

#include "plugin/base/address.h"
#include "plugin/base/text.h"

namespace payg::billing {
namespace {

using Code = HttpsError::Code;

struct EasyCleanup {
  void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct MultiCleanup {
  void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
struct FieldsFree {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
struct UrlCleanup {
  void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
};
using EasyHandle = std::unique_ptr<CURL, EasyCleanup>;
using MultiHandle = std::unique_ptr<CURLM, MultiCleanup>;
using FieldList = std::unique_ptr<curl_slist, FieldsFree>;
using UrlHandle = std::unique_ptr<CURLU, UrlCleanup>;

/// To few servers, each of them asked seldom.
constexpr long most_kept_connections = 16;
/// curl_multi_poll wakes up by itself for what it has to do; this is for nothing but to be sure.
constexpr int longest_poll_ms = 60'000;

void begin_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) throw std::runtime_error("libcurl cannot start");
  });
}

/// One part of a URL, as libcurl itself reads it; empty when it has none.
std::string part_of(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  std::string part(text);
  curl_free(text);
  return part;
}

/// libcurl resolves localhost by itself, to nothing but loopback addresses.
bool is_loopback_host(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (equal_ignoring_case(host, "localhost")) return true;
  const auto ip = IpAddress::parse(host);
  return ip && ip->is_loopback();
}

Code code_of(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return Code::timed_out;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT: return Code::unreachable;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE: return Code::untrusted;
    case CURLE_URL_MALFORMAT: return Code::not_allowed;
    default: return Code::broken;
  }
}

HttpsError error_of(Code code, std::string what) {
  return {.code = code, .message = std::string(name_of(code)) + ": " + std::move(what)};
}

/// One request on its way.
struct Transfer {
  EasyHandle handle;
  FieldList fields;
  HttpsRequest request;
  HttpsClient::OnDone on_done;
  std::size_t limit = 0;
  std::size_t head_bytes = 0;
  bool too_large = false;
  std::string body{};
  char error[CURL_ERROR_SIZE] = {};

  static std::size_t on_head(char*, std::size_t size, std::size_t count, void* self) noexcept {
    return static_cast<Transfer*>(self)->take_head(size * count);
  }
  static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self) noexcept {
    return static_cast<Transfer*>(self)->take_body({bytes, size * count});
  }

  /// What is returned less than was given ends the transfer.
  std::size_t take_head(std::size_t bytes) {
    head_bytes += bytes;
    too_large = too_large || head_bytes > limit;
    return too_large ? 0 : bytes;
  }
  std::size_t take_body(std::string_view bytes) {
    too_large = too_large || bytes.size() > limit - body.size();
    if (too_large) return 0;
    body += bytes;
    return bytes.size();
  }
};

bool prepare(Transfer& transfer, const HttpsClient::Limits& limits) {
  CURL* const handle = transfer.handle.get();
  const HttpsRequest& request = transfer.request;
  bool fine = true;
  const auto set = [handle, &fine](CURLoption option, auto value) {
    fine = curl_easy_setopt(handle, option, value) == CURLE_OK && fine;
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_NOSIGNAL, 1L);
  // A name server that is silent holds up nobody else: its thread is left to itself.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(limits.whole.count()));
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()));
  set(CURLOPT_USERAGENT, "payg-proxy");
  set(CURLOPT_ERRORBUFFER, transfer.error);
  set(CURLOPT_PRIVATE, &transfer);
  set(CURLOPT_HEADERFUNCTION, Transfer::on_head);
  set(CURLOPT_HEADERDATA, &transfer);
  set(CURLOPT_WRITEFUNCTION, Transfer::on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  if (request.method == HttpsRequest::Method::post) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.c_str());
  }
  for (const std::string& field : request.fields) {
    curl_slist* const longer = curl_slist_append(transfer.fields.get(), field.c_str());
    if (!longer) return false;
    static_cast<void>(transfer.fields.release());
    transfer.fields.reset(longer);
  }
  set(CURLOPT_HTTPHEADER, transfer.fields.get());
  return fine;
}

}  // namespace

class HttpsClient::Impl {
 public:
  explicit Impl(Limits limits) : limits_(limits) {
    begin_library();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::runtime_error("libcurl has no memory");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, most_kept_connections);
    thread_ = std::thread([this] { run(); });
  }
  ~Impl() { stop(); }

  Result<Done, HttpsError> send(HttpsRequest request, OnDone on_done);
  void stop();

 private:
  using TransferPtr = std::unique_ptr<Transfer>;

  void run();
  bool take_in();
  void begin(TransferPtr transfer);
  void finish_those_done();
  void finish(CURL* handle, CURLcode result);
  void answer(Transfer& transfer, Result<HttpsAnswer, HttpsError> outcome);
  void answer_all_as_stopped();

  const Limits limits_;
  MultiHandle multi_;

  std::mutex mutex_;
  std::vector<TransferPtr> arrived_;  // guarded by mutex_
  std::size_t under_way_ = 0;         // guarded by mutex_: with those that have arrived
  bool stopping_ = false;             // guarded by mutex_

  std::unordered_map<CURL*, TransferPtr> transfers_;  // the thread's
  std::thread thread_;
};

Result<Done, HttpsError> HttpsClient::Impl::send(HttpsRequest request, OnDone on_done) {
  if (!may_ask(request.url)) return error_of(Code::not_allowed, "this URL may not be asked");
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->on_done = std::move(on_done);
  transfer->limit = limits_.answer_bytes;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return error_of(Code::stopped, "the program is stopping");
    if (under_way_ >= limits_.under_way) return error_of(Code::busy, "too many requests are under way");
    ++under_way_;
    arrived_.push_back(std::move(transfer));
  }
  curl_multi_wakeup(multi_.get());
  return Done{};
}

void HttpsClient::Impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_.get());
  if (thread_.joinable()) thread_.join();
}

void HttpsClient::Impl::run() {
  pthread_setname_np(pthread_self(), "payg-https");
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  while (take_in()) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    finish_those_done();
    curl_multi_poll(multi_.get(), nullptr, 0, longest_poll_ms, nullptr);
  }
  answer_all_as_stopped();
}

/// False: it is time to end.
bool HttpsClient::Impl::take_in() {
  std::vector<TransferPtr> arrived;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    arrived.swap(arrived_);
  }
  for (TransferPtr& transfer : arrived) begin(std::move(transfer));
  return true;
}

void HttpsClient::Impl::begin(TransferPtr transfer) {
  transfer->handle.reset(curl_easy_init());
  CURL* const handle = transfer->handle.get();
  if (!handle || !prepare(*transfer, limits_) || curl_multi_add_handle(multi_.get(), handle) != CURLM_OK)
    return answer(*transfer, error_of(Code::broken, "libcurl does not take the request"));
  transfers_.emplace(handle, std::move(transfer));
}

void HttpsClient::Impl::finish_those_done() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
    if (message->msg == CURLMSG_DONE) finish(message->easy_handle, message->data.result);
}

void HttpsClient::Impl::finish(CURL* handle, CURLcode result) {
  const auto found = transfers_.find(handle);
  if (found == transfers_.end()) return;
  const TransferPtr transfer = std::move(found->second);
  transfers_.erase(found);
  curl_multi_remove_handle(multi_.get(), handle);
  if (result == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return answer(*transfer,
                  HttpsAnswer{.status = static_cast<int>(status), .body = std::move(transfer->body)});
  }
  if (transfer->too_large)
    return answer(*transfer, error_of(Code::too_large,
                                      "more than " + std::to_string(limits_.answer_bytes) + " bytes came"));
  answer(*transfer, error_of(code_of(result),
                             transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(result)));
}

void HttpsClient::Impl::answer(Transfer& transfer, Result<HttpsAnswer, HttpsError> outcome) {
  {
    const std::lock_guard lock(mutex_);
    --under_way_;
  }
  transfer.on_done(std::move(outcome));
}

void HttpsClient::Impl::answer_all_as_stopped() {
  std::vector<TransferPtr> left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(arrived_);
  }
  for (auto& [handle, transfer] : transfers_) {
    curl_multi_remove_handle(multi_.get(), handle);
    left.push_back(std::move(transfer));
  }
  transfers_.clear();
  for (const TransferPtr& transfer : left)
    answer(*transfer, error_of(Code::stopped, "the program is stopping"));
}

HttpsClient::HttpsClient() : HttpsClient(Limits{}) {}

HttpsClient::HttpsClient(Limits limits) : impl_(std::make_unique<Impl>(limits)) {}

HttpsClient::~HttpsClient() {
  stop();
}

Result<Done, HttpsError> HttpsClient::send(HttpsRequest request, OnDone on_done) {
  return impl_->send(std::move(request), std::move(on_done));
}

void HttpsClient::stop() {
  impl_->stop();
}

bool HttpsClient::may_ask(const std::string& text) {
  const UrlHandle url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return false;
  if (!part_of(url.get(), CURLUPART_USER).empty() || !part_of(url.get(), CURLUPART_PASSWORD).empty())
    return false;
  const std::string scheme = part_of(url.get(), CURLUPART_SCHEME);
  return scheme == "https" || (scheme == "http" && is_loopback_host(part_of(url.get(), CURLUPART_HOST)));
}

std::string_view name_of(HttpsError::Code code) noexcept {
  switch (code) {
    case Code::not_allowed: return "not allowed";
    case Code::busy: return "busy";
    case Code::stopped: return "stopped";
    case Code::unreachable: return "unreachable";
    case Code::untrusted: return "untrusted";
    case Code::timed_out: return "timed out";
    case Code::too_large: return "too large";
    case Code::broken: return "broken";
  }
  return "broken";
}

}  // namespace payg::billing
