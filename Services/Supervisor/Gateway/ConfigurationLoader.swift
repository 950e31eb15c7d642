import Database
import Foundation

/// Brings what `--config` and `--demo` describe into the database, before the services start.
struct ConfigurationLoader: Sendable {
    let options: UpOptions
    let ports: Ports
    let say: @Sendable (String) -> Void

    func load(_ connection: Connection) throws {
    }
}
