import Foundation

/// Passwords that `up` made up, kept in DIR/secrets (mode 0600).
struct Secrets: Codable, Sendable {
    /// Letters and digits only: it stands in a URL and in SQL as it is.
    var databasePassword: String

    static func load(_ directory: DataDirectory) throws(UpError) -> Secrets {
        let path = directory.secretsFile
        if let data = FileManager.default.contents(atPath: path) {
            guard let secrets = try? JSONDecoder().decode(Secrets.self, from: data) else { throw UpError("\(path) cannot be read") }
            return secrets
        }
        guard !FileManager.default.fileExists(atPath: path) else { throw UpError("\(path) may not be read") }
        let letters = Array("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        // The system's generator is a cryptographic one on Linux (getrandom).
        let secrets = Secrets(databasePassword: String((0..<32).compactMap { _ in letters.randomElement() }))
        try DataDirectory.write(json: secrets, to: path, mode: 0o600)
        return secrets
    }
}
