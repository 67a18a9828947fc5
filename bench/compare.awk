# The table of compare.sh, from files a.*.json and b.*.json as Google Benchmark writes them: a field on a line.

function value(text) {
  sub(/^[^:]*: */, "", text)
  sub(/,? *$/, "", text)
  gsub(/^"|"$/, "", text)
  return text
}
# The result whose fields were read, if it is one of a single run.
function take(    time, key) {
  if (name == "" || kind != "iteration") return
  time = (name ~ /real_time$/ ? real : cpu) * scale[unit]
  if (!(name in seen)) {
    seen[name] = 1
    order[++names] = name
  }
  key = side SUBSEP name
  sorted(key, ++count[key], time)
}
# Puts a time where it belongs among those of its benchmark.
function sorted(key, at, time) {
  for (; at > 1 && times[key, at - 1] > time; --at) times[key, at] = times[key, at - 1]
  times[key, at] = time
}
function median(key,    half) {
  half = int(count[key] / 2)
  return count[key] % 2 ? times[key, half + 1] : (times[key, half] + times[key, half + 1]) / 2
}
function shown(nanos) {
  if (nanos < 1e3) return sprintf("%.3g ns", nanos)
  if (nanos < 1e6) return sprintf("%.3g us", nanos / 1e3)
  if (nanos < 1e9) return sprintf("%.3g ms", nanos / 1e6)
  return sprintf("%.3g s", nanos / 1e9)
}
function spread(key) { return shown(times[key, 1]) "-" shown(times[key, count[key]]) }

BEGIN {
  scale["ns"] = 1
  scale["us"] = 1e3
  scale["ms"] = 1e6
  scale["s"] = 1e9
}
FNR == 1 {
  side = FILENAME
  sub(/^.*\//, "", side)
  side = substr(side, 1, 1)
  name = ""
}
/^ *"name":/ { name = value($0) }
/^ *"run_type":/ { kind = value($0) }
/^ *"real_time":/ { real = value($0) }
/^ *"cpu_time":/ { cpu = value($0) }
/^ *"time_unit":/ {
  unit = value($0)
  take()
  name = ""
}
END {
  form = "%-66s %9s %9s %6s  %-21s %-21s %s\n"
  printf form, "benchmark", "A", "B", "B/A", "A, least-most", "B, least-most", ""
  for (i = 1; i <= names; ++i) {
    a = "a" SUBSEP order[i]
    b = "b" SUBSEP order[i]
    if (!count[a] || !count[b]) {
      printf form, order[i], count[a] ? shown(median(a)) : "-", count[b] ? shown(median(b)) : "-", "-", "", "", "only in " (count[a] ? "A" : "B")
      continue
    }
    ++compared
    mark = ""
    if (times[b, 1] > times[a, count[a]]) mark = "slower"
    if (times[b, count[b]] < times[a, 1]) mark = "faster"
    if (times[b, 1] > 1.1 * times[a, count[a]]) {
      mark = "SLOWER"
      ++slower
    }
    printf form, order[i], shown(median(a)), shown(median(b)), sprintf("%.2f", median(b) / (median(a) > 0 ? median(a) : 1)), spread(a), spread(b), mark
  }
  if (!compared) {
    print "nothing was compared" >"/dev/stderr"
    exit 3
  }
  if (slower) print slower " slower by more than 10 % beyond the spread"
  exit slower ? 1 : 0
}
