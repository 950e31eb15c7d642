// Measures what billing and the message log write into PostgreSQL, against a bare COPY of the same rows in the same run.
//
//     stage-bench billing|routelog [MESSAGES]
//
// The server is one of our own with fsync off: what is compared is work, not disks.

import Billing
import Bus
import Database
import Message
import Pricing
import RouteLog
import Routing
import ServiceKit
import Store
import TestSupport

let what = CommandLine.arguments.dropFirst().first ?? "billing"
let messages = CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) } ?? 50_000
let server = try TestPostgres.start()
defer { server.stop() }
let connection = try Connection(url: server.url, applicationName: "bench")
try Schema.migrate(connection)
switch what {
case "billing": try Benches.billing(connection, url: server.url, messages: messages)
case "routelog": try Benches.routelog(connection, url: server.url, messages: messages)
default: print("usage: stage-bench billing|routelog [MESSAGES]")
}
