/// The file that USERS names: who may bind, and with which password.
///
/// A user a line: a name, then blanks or a colon, then the password to the end of the line. `#` begins a comment line.
public enum UsersFile {
    /// A user of a users' file.
    public struct User: Sendable, Equatable {
        public var name: String
        public var password: Secret
    }

    /// - Returns: of a name that stands twice the last entry counts; what is no user is named by its line.
    public static func parse(_ text: String) -> (users: [String: User], faults: [FileFault]) {
        var users: [String: User] = [:]
        var faults: [FileFault] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.drop { $0.isWhitespace }
            guard let first = line.first, first != "#" else { continue }
            let name = line.prefix { !$0.isWhitespace && $0 != ":" }
            let password = line.dropFirst(name.count).drop { $0.isWhitespace || $0 == ":" }
            let trimmed = String(password.trimmed)
            if name.isEmpty || trimmed.isEmpty {
                faults.append(FileFault(line: index + 1, message: "expected a user name and a password"))
            } else if name.utf8.count > 64 {
                faults.append(FileFault(line: index + 1, message: "a user name has at most 64 characters"))
            } else {
                users[String(name)] = User(name: String(name), password: Secret(trimmed))
            }
        }
        return (users, faults)
    }
}
