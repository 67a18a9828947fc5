// The fields of every frame, each listed once, in the order of the wire, for both directions: `io` is an Encoder and the frame is
// const, or it is a Decoder and the frame is filled. Private to lib/launch.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include "base/wire.h"
#include "launch/contract/frames.h"

namespace jobd::launch {

class Encoder {
 public:
  Encoder() = default;
  explicit Encoder(std::string start) : wire_(std::move(start)) {}
  void operator()(const std::string& text) { wire_.Text32(text); }
  void operator()(bool flag) { wire_.Flag(flag); }
  template <std::integral Int>
  void operator()(Int value) {
    wire_.Fixed(value);
  }
  template <typename Item, typename Each>
  void List(const std::vector<Item>& items, size_t /*min_size*/, Each each) {
    wire_.Fixed(static_cast<uint32_t>(items.size()));
    for (const Item& item : items) each(item);
  }
  std::string Take() { return wire_.Take(); }

 private:
  base::WireWriter wire_;
};

class Decoder {
 public:
  explicit Decoder(base::WireReader& wire) : wire_(wire) {}
  void operator()(std::string& text) { text = wire_.Text32(); }
  void operator()(bool& flag) { flag = wire_.Flag(); }
  template <std::integral Int>
  void operator()(Int& value) {
    value = wire_.Fixed<Int>();
  }
  // min_size: the fewest bytes an item takes.
  template <typename Item, typename Each>
  void List(std::vector<Item>& items, size_t min_size, Each each) {
    items.resize(wire_.Count32(min_size));
    for (Item& item : items) each(item);
  }

 private:
  base::WireReader& wire_;
};

// T itself or const T.
template <typename F, typename T>
concept Is = std::same_as<std::remove_const_t<F>, T>;

inline constexpr size_t kMinText = sizeof(uint32_t);

template <typename Io, Is<JobKey> F>
void Fields(Io& io, F& f) {
  io(f.batch);
  io(f.index);
  io(f.attempt);
}

template <typename Io, Is<JobLimits> F>
void Fields(Io& io, F& f) {
  EachLimit([&](const char* /*name*/, auto limit) { io(f.*limit); });
}

template <typename Io, Is<Capabilities> F>
void Fields(Io& io, F& f) {
  io.List(f.profiles, kMinText + 3 + 3 * sizeof(uint64_t), [&](auto& profile) {
    io(profile.name);
    io(profile.missing);
    io(profile.needs_grant);
    io(profile.private_tmp);
    io(profile.tmp_bytes);
    io(profile.file_bytes);
    io(profile.open_files);
  });
  io.List(f.missing_limits, kMinText, [&](auto& name) { io(name); });
  io(f.most_jobs);
}

template <typename Io, Is<Hello> F>
void Fields(Io& io, F& f) {
  io(f.version);
}

template <typename Io, Is<Ready> F>
void Fields(Io& io, F& f) {
  io(f.address);
}

template <typename Io, Is<LaunchRequest> F>
void Fields(Io& io, F& r) {
  Fields(io, r.key);
  io(r.owner);
  io(r.correlation_id);
  io(r.job_count);
  io.List(r.argv, kMinText, [&](auto& arg) { io(arg); });
  io.List(r.env, 2 * kMinText, [&](auto& variable) {
    io(variable.first);
    io(variable.second);
  });
  io(r.workdir);
  io(r.stdin_data);
  io(r.user);
  io(r.profile);
  Fields(io, r.limits);
  io(r.timeout);
  io(r.kill_after);
}

template <typename Io, Is<Launch> F>
void Fields(Io& io, F& f) {
  Fields(io, f.request);
}

template <typename Io, Is<Watch> F>
void Fields(Io& io, F& f) {
  Fields(io, f.key);
  io(f.owner);
  io(f.correlation_id);
}

template <typename Io, Is<CancelJob> F>
void Fields(Io& io, F& f) {
  Fields(io, f.key);
  io(f.grace);
}

template <typename Io, Is<SignalJob> F>
void Fields(Io& io, F& f) {
  Fields(io, f.key);
  io(f.signal);
}

// Frames that hold a key and nothing else.
template <typename Io, typename F>
requires Is<F, Sweep> || Is<F, ShimExited> || Is<F, Swept>
void Fields(Io& io, F& f) { Fields(io, f.key); }

// Frames that hold nothing.
template <typename Io, typename F>
requires Is<F, Reconciled> || Is<F, ReadFiles> || Is<F, Alive> || Is<F, PrepareReload> || Is<F, Ping>
void Fields(Io& /*io*/, F& /*f*/) {}

template <typename Io, Is<HelloAck> F>
void Fields(Io& io, F& f) {
  io(f.version);
  io(f.server_restarts);
  io.List(f.capabilities, 2 * kMinText + 1, [&](auto& capability) {
    io(capability.name);
    io(capability.available);
    io(capability.detail);
  });
  io(f.config_name);
  io.List(f.environment, 2 * kMinText, [&](auto& variable) {
    io(variable.first);
    io(variable.second);
  });
  io.List(f.set_flags, kMinText, [&](auto& flag) { io(flag); });
  io.List(f.descriptors, kMinText, [&](auto& name) { io(name); });
}

template <typename Io, Is<Refused> F>
void Fields(Io& io, F& f) {
  Fields(io, f.key);
  io(f.retry);
  io(f.policy);
  io(f.text);
}

template <typename Io, Is<Files> F>
void Fields(Io& io, F& f) {
  io.List(f.names, kMinText, [&](auto& name) { io(name); });
  io(f.error);
  Fields(io, f.capabilities);
  io(f.revision);
}

// Frames that hold a revision and nothing else.
template <typename Io, typename F>
requires Is<F, CommitReload> || Is<F, AbortReload>
void Fields(Io& io, F& f) { io(f.revision); }

template <typename Io, Is<Reloaded> F>
void Fields(Io& io, F& f) {
  io(f.revision);
  io(f.done);
}

}  // namespace jobd::launch
