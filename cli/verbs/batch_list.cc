#include "cli/verbs/batch_list.h"

#include <algorithm>

#include "cli/connect/session.h"
#include "cli/view/json_view.h"
#include "cli/view/views.h"
#include "jobd/v1/job_query_service.pb.h"

namespace jobd::cli {

namespace {
constexpr uint32_t kPage = 1000;
}

int PrintBatches(Session& session, v1::ListBatchesRequest request, uint32_t limit) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.error());
  Table table(BatchHeader(session.wide()));
  Json list = Json::array();
  uint32_t count = 0;
  bool more = false;
  while (true) {
    request.set_page_size(limit == 0 ? kPage : std::min(kPage, limit - count));
    v1::ListBatchesResponse page;
    if (auto status = (*client)->ListBatches(request, &page); !status.ok()) return session.Fail(status.error());
    for (const v1::Batch& batch : page.batches()) {
      if (session.json()) {
        list.push_back(BatchToJson(batch));
      } else if (session.format() == OutputFormat::kName) {
        session.PrintLine(batch.correlation_id());
      } else {
        table.Add(BatchRow(batch, session.Now(), session.wide()));
      }
    }
    count += static_cast<uint32_t>(page.batches_size());
    request.set_page_token(page.next_page_token());
    more = !page.next_page_token().empty();
    if (!more || (limit > 0 && count >= limit)) break;
  }
  if (session.json()) {
    session.PrintJsonList(list);
  } else if (session.format() != OutputFormat::kName && table.rows() > 0) {
    session.PrintTable(table);
  }
  if (count == 0) session.Say("no batches");
  if (more) session.Say("there are more; see --limit");
  return 0;
}

}  // namespace jobd::cli
