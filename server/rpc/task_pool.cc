#include "server/rpc/task_pool.h"

#include <pthread.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <thread>
#include <vector>

namespace jobd::server {

struct TaskPool::Threads {
  explicit Threads(int count) : io(count), work(io.get_executor()) {}
  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
  std::vector<std::thread> threads;
};

TaskPool::TaskPool(const std::string& name, unsigned threads) : threads_(std::make_unique<Threads>(static_cast<int>(threads))) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_->threads.emplace_back([this, title = name + "-" + std::to_string(i)] {
      pthread_setname_np(pthread_self(), title.c_str());
      threads_->io.run();
    });
  }
}

TaskPool::~TaskPool() {
  threads_->io.stop();
  for (std::thread& thread : threads_->threads) thread.join();
}

void TaskPool::Post(std::function<void()> task) { boost::asio::post(threads_->io, std::move(task)); }

}  // namespace jobd::server
