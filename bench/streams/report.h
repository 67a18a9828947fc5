// Figures, and how they are shown beside their goals.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace jobd::bench {

// Seconds on a clock that only goes forward.
double Now();
// The one in the middle; `values` is not empty.
double Median(std::vector<double> values);
// The value below which `part` (0 to 1) of them lie; sorts them. 0 of none.
double Quantile(std::vector<double>& values, double part);
// The median of what each round says of a / b. Both have one value a round.
double MedianRatio(const std::vector<double>& a, const std::vector<double>& b);

// "1,040 MB/s (990-1,100)", of bytes a second.
std::string Rate(const std::vector<double>& rates);
// Two digits behind the point: "0.95".
std::string Ratio(double value);
// "0.21 ms", of seconds.
std::string Millis(double seconds);

// One table. Rows come out as they are added, so that a long run can be watched.
class Table {
 public:
  Table(const std::string& title, std::FILE* out);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void Row(const std::string& what, const std::string& figure) { Print(what, figure, ""); }
  // `goal` as text, "≥ 0.95", and whether it is met.
  void Row(const std::string& what, const std::string& figure, const std::string& goal, bool met) {
    Print(what, figure, goal + (met ? ": yes" : ": no"));
  }

 private:
  void Print(const std::string& what, const std::string& figure, const std::string& goal);
  std::FILE* const out_;
};

}  // namespace jobd::bench
