#include "server/auth/session/login_throttle.h"

#include <algorithm>

namespace jobd::server {
namespace {

// Of certificates, of users, and of users of one certificate. To have one forgotten takes so many others with more debts, each of
// which costs the time of a hash: longer than the debt lasts.
constexpr size_t kMaxRemembered = 1024;

double ASecond(uint32_t rate) { return rate / 60.0; }

// Makes room for one more.
template <typename Map, typename DebtOf>
void Forget(Map& map, DebtOf debt_of) {
  if (map.size() < kMaxRemembered) return;
  std::erase_if(map, [&](const auto& one) { return debt_of(one.second) <= 0; });
  if (map.size() < kMaxRemembered) return;
  map.erase(std::ranges::min_element(map, {}, [&](const auto& one) { return debt_of(one.second); }));
}

base::Nanos Until(double attempts_over, double a_second) {
  const auto delay = static_cast<base::Nanos>(attempts_over / a_second * static_cast<double>(base::kNanosPerSecond));
  return std::max<base::Nanos>(delay, 100 * base::kNanosPerMilli);
}

}  // namespace

double LoginThrottle::Debt::Now(double a_second, base::Nanos now) const {
  return std::max(0.0, attempts - static_cast<double>(now - since) / static_cast<double>(base::kNanosPerSecond) * a_second);
}

void LoginThrottle::Debt::Add(double count, double a_second, base::Nanos now) {
  attempts = std::max(0.0, Now(a_second, now) + count);
  since = now;
}

std::optional<base::Nanos> LoginThrottle::Take(const std::string& certificate, const std::string& user) {
  const uint32_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0) return std::nullopt;
  const base::Nanos now = clock_.Monotonic();
  const double own = ASecond(rate);
  const double of_user = ASecond(rate * kOfUser);
  const double of_certificate = ASecond(rate * kOfCertificate);
  const auto debts = debts_.Lock();

  if (!debts->by_certificate.contains(certificate)) {
    Forget(debts->by_certificate, [&](const OfCertificate& one) { return one.all.Now(of_certificate, now); });
  }
  OfCertificate& from = debts->by_certificate[certificate];
  if (const double over = from.all.Now(of_certificate, now) + 1 - rate * kOfCertificate; over > 0) {
    return Until(over, of_certificate);
  }
  const auto known = debts->by_user.find(user);
  const bool attacked = known != debts->by_user.end() && known->second.Now(of_user, now) + 1 > rate * kOfUser;
  if (const auto pair = from.by_user.find(user); pair != from.by_user.end()) {
    const base::Nanos wait = pair->second.since + 60 * base::kNanosPerSecond - now;
    if (attacked && pair->second.attempts > 0 && wait > 0) return wait;
    if (const double over = pair->second.Now(own, now) + 1 - rate; over > 0) return Until(over, own);
  } else {
    Forget(from.by_user, [&](const Debt& one) { return one.Now(own, now); });
  }
  if (known == debts->by_user.end()) Forget(debts->by_user, [&](const Debt& one) { return one.Now(of_user, now); });
  from.all.Add(1, of_certificate, now);
  from.by_user[user].Add(1, own, now);
  debts->by_user[user].Add(1, of_user, now);
  return std::nullopt;
}

void LoginThrottle::GiveBack(const std::string& certificate, const std::string& user) {
  const uint32_t rate = rate_.load(std::memory_order_relaxed);
  if (rate == 0) return;
  const base::Nanos now = clock_.Monotonic();
  const auto debts = debts_.Lock();
  if (const auto from = debts->by_certificate.find(certificate); from != debts->by_certificate.end()) {
    from->second.all.Add(-1, ASecond(rate * kOfCertificate), now);
    if (const auto pair = from->second.by_user.find(user); pair != from->second.by_user.end()) {
      pair->second.Add(-1, ASecond(rate), now);
    }
  }
  if (const auto of = debts->by_user.find(user); of != debts->by_user.end()) of->second.Add(-1, ASecond(rate * kOfUser), now);
}

}  // namespace jobd::server
