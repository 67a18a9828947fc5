// How many wrong passwords are taken, so that nobody guesses one and nobody is locked out by who tries.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/guarded.h"

namespace jobd::server {

// An attempt counts for the certificate that it came with, for the user that it names, and for both together; a right password is
// forgotten at once, and a wrong one with time. With a rate of R a minute:
//
//   both together      R wrong ones, then R a minute
//   a user             from 5 R of all certificates on, each of those has one a minute
//   a certificate      20 R of whatever users, then 20 R a minute
//
// So whoever tries many passwords for a user, from one certificate or from many, takes no attempt from a certificate that has not
// failed for that user: its first is always taken. Whether a user exists makes no difference. Thread-safe; remembers a bounded
// number, the most indebted ones.
class LoginThrottle {
 public:
  static constexpr uint32_t kOfUser = 5;
  static constexpr uint32_t kOfCertificate = 20;

  // `clock` outlives it.
  explicit LoginThrottle(const base::Clock& clock) : clock_(clock) {}

  // 0: nothing is refused.
  void SetRate(uint32_t wrong_a_minute) { rate_.store(wrong_a_minute, std::memory_order_relaxed); }

  // Counts an attempt before its password is looked at. Nothing: it may be looked at. Else how long it is until one may; then it
  // was not counted.
  std::optional<base::Nanos> Take(const std::string& certificate, const std::string& user);
  // The attempt was right, or was not made after all: it does not count.
  void GiveBack(const std::string& certificate, const std::string& user);

 private:
  // Drains with time.
  struct Debt {
    double attempts = 0;
    base::Nanos since = 0;
    double Now(double a_second, base::Nanos now) const;
    void Add(double count, double a_second, base::Nanos now);
  };
  struct OfCertificate {
    Debt all;
    std::map<std::string, Debt> by_user;
  };
  struct Debts {
    std::map<std::string, OfCertificate> by_certificate;
    std::map<std::string, Debt> by_user;
  };

  const base::Clock& clock_;
  std::atomic<uint32_t> rate_ = 10;
  base::Guarded<Debts> debts_;
};

}  // namespace jobd::server
