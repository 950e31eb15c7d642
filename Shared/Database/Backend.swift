/// The server's process behind a connection. Its start tells it from another that got its number.
struct Backend: Sendable, Hashable {
    var pid: Int64
    /// As the server writes it.
    var started: String
}
