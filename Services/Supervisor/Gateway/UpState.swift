import Foundation

/// What `up` tells other tools in DIR/up.json while everything is up. The file's mode is 0600: the URL holds a password.
public struct UpState: Codable, Sendable {
    public var pid: Int32
    public var databaseURL: String
    public var kafka: String
    /// Where clients connect by SMPP, with `--demo`.
    public var smppPort: Int?
    /// Where clients connect by HTTP, with `--demo`.
    public var httpPort: Int?
    /// The simulated operator's SMSC, with `--demo`.
    public var smscPort: Int?
    /// Instances' services, one entry per child.
    public var services: [String]
    /// ISO 8601, UTC.
    public var started: String
    /// Whether the demo account is there.
    public var demo: Bool

    enum CodingKeys: String, CodingKey {
        case pid, kafka, services, started, demo
        case databaseURL = "database_url"
        case smppPort = "smpp_port"
        case httpPort = "http_port"
        case smscPort = "smsc_port"
    }

    /// - Throws: `UpError` when nothing is up in `directory`, saying so.
    public static func read(_ directory: DataDirectory) throws(UpError) -> UpState {
        guard let data = FileManager.default.contents(atPath: directory.stateFile) else {
            if let holder = DirectoryLock.holder(directory) {
                throw UpError("the gateway in \(directory.path) (process \(holder)) is starting or stopping")
            }
            throw UpError("nothing is running in \(directory.path); `signalbox up --data \(directory.path)` starts it")
        }
        let state: UpState
        do { state = try JSONDecoder().decode(UpState.self, from: data) } catch {
            throw UpError("\(directory.stateFile) cannot be read: \(error)")
        }
        guard DirectoryLock.holder(directory) != nil else {
            throw UpError("nothing is running in \(directory.path): its `signalbox up` (process \(state.pid)) ended without cleaning up")
        }
        return state
    }
}
