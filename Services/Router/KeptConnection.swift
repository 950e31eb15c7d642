import Database

/// A connection that is made when it is first needed, and anew after anything went wrong on it.
final class KeptConnection {
    private let connect: () throws -> Connection
    private var connection: Connection?

    init(connect: @escaping () throws -> Connection) { self.connect = connect }

    func inTransaction<Result>(_ body: (Connection) throws -> Result) throws -> Result {
        do {
            let connection = try self.connection ?? connect()
            self.connection = connection
            return try connection.transaction { try body(connection) }
        } catch {
            self.connection = nil
            throw error
        }
    }
}
