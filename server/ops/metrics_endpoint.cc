#include "server/ops/metrics_endpoint.h"

#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <chrono>
#include <list>
#include <thread>

namespace jobd::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Protocol = asio::generic::stream_protocol;
using Stream = boost::beast::basic_stream<Protocol>;

constexpr size_t kMaxConnections = 64;
constexpr auto kPatience = std::chrono::seconds(2);
// accept(2) fails while descriptors are short, of whose end nothing tells.
constexpr auto kShortage = std::chrono::milliseconds(100);

// One request, one answer, and the end.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Protocol::socket socket, const std::function<std::string()>& text) : stream_(std::move(socket)), text_(text) {
    parser_.header_limit(8 << 10);
    parser_.body_limit(0);
  }

  bool asked() const { return asked_; }
  // Makes room for somebody else.
  void Close() { stream_.close(); }
  void Start() {
    stream_.expires_after(kPatience);
    http::async_read(stream_, buffer_, parser_, [self = shared_from_this()](const boost::system::error_code& error, size_t) {
      if (!error) self->Answer();
    });
  }

 private:
  void Answer() {
    asked_ = true;
    const auto& request = parser_.get();
    const bool get = request.method() == http::verb::get || request.method() == http::verb::head;
    response_.version(11);
    response_.keep_alive(false);
    if (!get) {
      response_.result(http::status::method_not_allowed);
    } else if (request.target() != "/metrics") {
      response_.result(http::status::not_found);
    } else {
      response_.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
      response_.body() = text_();
    }
    response_.prepare_payload();
    if (request.method() == http::verb::head) response_.body().clear();
    stream_.expires_after(kPatience);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](const boost::system::error_code&, size_t) { self->stream_.close(); });
  }

  Stream stream_;
  boost::beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  http::response<http::string_body> response_;
  const std::function<std::string()>& text_;
  bool asked_ = false;
};

class Endpoint final : public MetricsEndpoint {
 public:
  explicit Endpoint(std::function<std::string()> text) : text_(std::move(text)), acceptor_(io_), shortage_(io_) {}
  ~Endpoint() override {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  base::Status Listen(base::Fd listening) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      return base::SysError("looking at the socket for metrics", errno);
    }
    boost::system::error_code error;
    acceptor_.assign(Protocol(address.ss_family, 0), listening.get(), error);
    if (error) return base::SysError("taking over the socket for metrics", error.value());
    (void)listening.release();
    Accept();
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "metrics");
      io_.run();
    });
    return base::Ok();
  }

 private:
  void Accept() {
    if (accepting_) return;
    accepting_ = true;
    acceptor_.async_accept([this](const boost::system::error_code& error, Protocol::socket socket) {
      accepting_ = false;
      if (error) {
        shortage_.expires_after(kShortage);
        shortage_.async_wait([this](const boost::system::error_code&) { Accept(); });
        return;
      }
      if (MakeRoom()) {
        const auto session = std::make_shared<Session>(std::move(socket), text_);
        sessions_.push_back(session);
        session->Start();
      }
      Accept();
    });
  }

  // The oldest that has not asked yet gives way, so that whoever asks is answered at once, however many others say nothing. False
  // when all have asked and take their time with the answer: two seconds at most.
  bool MakeRoom() {
    std::erase_if(sessions_, [](const auto& session) { return session.expired(); });
    if (sessions_.size() < kMaxConnections) return true;
    const auto silent = std::ranges::find_if(sessions_, [](const auto& weak) {
      const auto session = weak.lock();
      return session && !session->asked();
    });
    if (silent == sessions_.end()) return false;
    silent->lock()->Close();
    sessions_.erase(silent);
    return true;
  }

  const std::function<std::string()> text_;
  std::list<std::weak_ptr<Session>> sessions_;  // oldest first
  bool accepting_ = false;
  asio::io_context io_{1};
  asio::basic_socket_acceptor<Protocol> acceptor_;
  asio::steady_timer shortage_;
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<MetricsEndpoint>> MetricsEndpoint::Start(base::Fd listening, std::function<std::string()> text) {
  auto endpoint = std::make_unique<Endpoint>(std::move(text));
  JOBD_RETURN_IF_ERROR(endpoint->Listen(std::move(listening)));
  return std::unique_ptr<MetricsEndpoint>(std::move(endpoint));
}

}  // namespace jobd::server
