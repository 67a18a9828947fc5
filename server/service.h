// The worker on the network: puts together everything between the launcher's files and the listening socket.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/listener.h"
#include "base/result.h"
#include "config/config.h"
#include "launch/contract/capabilities.h"
#include "server/api/api.h"
#include "server/ops/file_set.h"
#include "server/ops/metrics.h"
#include "server/ops/reloader.h"
#include "worker/worker.h"

namespace spdlog {
class logger;
}

namespace jobd::server {

// The worker's share of the configuration and of the users file.
worker::WorkerLimits WorkerLimitsOf(const config::Config& config, const config::Users& users);

struct ServiceOptions {
  FileSource files;  // for reloads
  // At a reload that is taken, before the worker gets its new limits: by these files the launcher can do this. May be empty.
  std::function<void(const launch::Capabilities&)> use_capabilities;
  FileSet initial;
  std::string config_name;
  config::Overrides overrides;
  AboutProcess about;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<Metrics> metrics = std::make_shared<Metrics>();
  base::Fd metrics_socket;  // listening; none: metrics are not served
};

// ApplyTlsPolicy was called before. Thread-safe.
class Service {
 public:
  // Serves when it returns: real handshakes with itself have shown that TLS 1.3 with a client certificate works, and that without
  // one, and below 1.3, nothing does. `worker` and `clock` outlive the result.
  static base::Result<std::unique_ptr<Service>> Start(worker::Worker& worker, const base::Clock& clock, ServiceOptions options,
                                                      base::Listener listener);
  virtual ~Service() = default;

  virtual const std::string& address() const = 0;
  // As Reloader::Reload.
  virtual base::Result<ReloadReport> Reload(bool force) = 0;
  // What is to be seen to of the certificates in force, a line each: they come of age while nothing else changes.
  virtual std::vector<std::string> Warnings() const = 0;
  // Accepts nothing more, ends lasting calls with UNAVAILABLE, gives the others `grace_ms`, and returns when gRPC has stopped. Jobs
  // run on. Once, before the destructor.
  virtual void Shutdown(int grace_ms) = 0;
};

}  // namespace jobd::server
