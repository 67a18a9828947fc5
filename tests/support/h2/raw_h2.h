// A client that speaks HTTP/2 frame by frame, so that it can do what no library lets one do.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/fd.h"

namespace jobd::test {

struct TlsIdentity {
  std::string cert;  // PEM
  std::string key;
};

// One connection. It never acknowledges SETTINGS, and the server is not verified. Writing gathers; Flush sends. Not thread-safe.
class RawH2 {
 public:
  enum class Type : uint8_t {
    kData = 0,
    kHeaders = 1,
    kPriority = 2,
    kReset = 3,
    kSettings = 4,
    kPing = 6,
    kGoAway = 7,
    kWindowUpdate = 8,
    kContinuation = 9,
  };

  // Connects to "HOST:PORT" and shakes hands, within so many milliseconds; nullptr if that fails. `from` is an address of this
  // machine's to connect from; empty: any.
  static std::unique_ptr<RawH2> Connect(const std::string& address, const TlsIdentity& identity, const std::string& from = "",
                                        int timeout_ms = 20'000);
  RawH2(const RawH2&) = delete;
  RawH2& operator=(const RawH2&) = delete;

  // ---- writing ----

  // HEADERS of a call of `path`; 15 bytes, from the second of a path on. Returns the stream.
  uint32_t Headers(const std::string& path, bool end_stream = false);
  // A message of gRPC's, or only the first so many of its bytes.
  void Message(uint32_t stream, const std::string& message, bool end_stream = false, size_t cut_to = SIZE_MAX);
  void Reset(uint32_t stream);
  void GoAway();
  void Frame(Type type, uint8_t flags, uint32_t stream, const std::string& payload);
  // Sends what was gathered, and takes in what has come. False when the connection is over or takes nothing for so long.
  bool Flush(int timeout_ms = 20'000);

  // ---- what has come ----

  // Takes in what comes until `enough` or the end of the connection. False when neither comes in time.
  bool ReadUntil(const std::function<bool()>& enough, int timeout_ms = 20'000);
  bool over() const { return over_; }
  size_t frames_of(uint32_t stream) const;
  // That have been ended by the server.
  bool ended(uint32_t stream) const { return ended_.contains(stream); }
  size_t ended_streams() const { return ended_.size(); }

  // ---- the end ----

  // A reset of TCP.
  void Cut();
  // The end of what the client sends, without a word of TLS.
  void Fin();

 private:
  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  RawH2() = default;
  void TakeIn();
  bool Poll(short events, int timeout_ms) const;

  base::Fd socket_;
  std::unique_ptr<SSL_CTX, Free> context_;
  std::unique_ptr<SSL, Free> ssl_;
  std::string out_;
  std::string in_;
  std::map<uint32_t, size_t> frames_;
  std::string indexed_path_;
  std::set<uint32_t> ended_;
  uint32_t next_stream_ = 1;
  bool over_ = false;
};

}  // namespace jobd::test
