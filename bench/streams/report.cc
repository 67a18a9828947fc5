#include "bench/streams/report.h"

#include <algorithm>
#include <chrono>

namespace jobd::bench {
namespace {

std::string Format(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string WithCommas(double value) {
  std::string text = Format("%.0f", value);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

}  // namespace

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Quantile(std::vector<double>& values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
}

double MedianRatio(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<double> ratios;
  for (size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return Median(ratios);
}

std::string Rate(const std::vector<double>& rates) {
  const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
  return WithCommas(Median(rates) / 1e6) + " MB/s (" + WithCommas(*least / 1e6) + "-" + WithCommas(*most / 1e6) + ")";
}

std::string Ratio(double value) { return Format("%.2f", value); }

std::string Millis(double seconds) { return Format("%.2f ms", seconds * 1e3); }

Table::Table(const std::string& title, std::FILE* out) : out_(out) {
  std::fprintf(out_, "### %s\n\n| what | figure | goal |\n|---|---|---|\n", title.c_str());
  std::fflush(out_);
}

Table::~Table() {
  std::fprintf(out_, "\n");
  std::fflush(out_);
}

void Table::Print(const std::string& what, const std::string& figure, const std::string& goal) {
  std::fprintf(out_, "| %s | %s | %s |\n", what.c_str(), figure.c_str(), goal.c_str());
  std::fflush(out_);
}

}  // namespace jobd::bench
