import Bus
import Database

/// Whether the same work may succeed later without anybody's help: the database or the broker is away or busy.
@Sendable func isTransient(_ error: any Error) -> Bool {
    switch error {
    case let error as DatabaseError: error.isRetriable
    case let error as BusError: error.isRetriable && !error.isFatal
    default: false
    }
}
