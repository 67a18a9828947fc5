// What all measurements share: the daemon, the peers it is held against, and how much of each there is to be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/streams/report.h"
#include "tests/e2e/harness/daemon.h"

namespace jobd::bench {

struct Options {
  int rounds = 5;
  bool quick = false;
  std::vector<std::string> only;  // names of measurements; empty: all
};

// A running jobd whose limits are no hindrance, and the writer where its jobs can run it.
class Host {
 public:
  Host();
  // What went wrong if it does not run; empty otherwise.
  const std::string& problem() const { return problem_; }
  const e2e::Daemon& daemon() const { return daemon_; }
  const std::string& writer() const { return writer_; }
  // Starts a job of the writer with these arguments, without isolation, whose filter would slow down each of its writes, and
  // returns its correlation ID.
  std::string Start(const std::vector<std::string>& args) const;
  // The same to its end, which must be a good one.
  std::string Run(const std::vector<std::string>& args) const;
  void Remove(const std::string& id) const { (void)daemon_.Ok({"rm", id}); }
  // A FIFO that jobs can open.
  std::string MakeFifo(const std::string& name) const;

 private:
  e2e::Daemon daemon_;
  std::string writer_;
  std::string problem_;
};

// Another process of this program, in one of the roles of main.cc, with the daemon's certificates. It listens on 127.0.0.1.
class Peer {
 public:
  Peer(const Host& host, const std::string& role, const std::vector<std::string>& args = {});
  // "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  pid_t pid() const { return process_.pid(); }

 private:
  e2e::Process process_;
  std::string address_;
};

// Processor time of a process by now, in seconds.
double CpuOf(pid_t pid);
// What is its alone, in bytes. Needs root.
uint64_t PrivateBytesOf(pid_t pid);

// The measurements. Each prints its tables.
void MeasureThroughput(const Host& host, const Options& options);
void MeasureCapture(const Host& host, const Options& options);
void MeasureLatency(const Host& host, const Options& options);
void MeasureMemory(const Host& host, const Options& options);
void MeasureIdle(const Host& host, const Options& options);

}  // namespace jobd::bench
