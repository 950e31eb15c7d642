import Database
import ServiceKit

extension BatchDesk {
    convenience init(_ database: Database, serve: @escaping @Sendable (Connection, [Question]) throws -> [Answer]) {
        self.init(database, overloaded: Fault(.unavailable, "too many questions wait", retryAfterSeconds: 1), serve: serve)
    }
}
