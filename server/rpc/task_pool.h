// Threads for work that may touch files, so that a transport's own threads never wait for a disk.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace jobd::server {

// A few threads named NAME-0, NAME-1, …. Thread-safe. The destructor joins them; tasks that have not begun are dropped.
class TaskPool {
 public:
  TaskPool(const std::string& name, unsigned threads);
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;
  // Never blocks, and never runs the task itself.
  void Post(std::function<void()> task);

 private:
  struct Threads;
  std::unique_ptr<Threads> threads_;
};

}  // namespace jobd::server
