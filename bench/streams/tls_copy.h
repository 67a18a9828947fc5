// The least that TLS costs: OpenSSL on a TCP connection, without gRPC.
#pragma once

#include <cstdint>
#include <string>

namespace jobd::bench {

// Accepts connections on 127.0.0.1 one after the other and writes `bytes` of memory to each, in pieces of 256 KiB, until it is
// killed; prints its port. Server and client ask for each other's certificate and speak TLS 1.3.
int RunTlsServer(const std::string& certs, uint64_t bytes);
// Bytes a second of one such connection, or 0.
double TlsCopy(const std::string& certs, const std::string& address, uint64_t bytes);

}  // namespace jobd::bench
