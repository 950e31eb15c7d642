import Database
import Foundation
import Testing
import TestSupport

/// The built executable, against a real database.
@Suite final class CommandTests {
    let url: String
    let directory: String
    let program: String

    init() throws {
        url = try TestPostgres.freshDatabase()
        directory = FileManager.default.temporaryDirectory.appendingPathComponent("signalbox-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        program = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("signalbox").path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func run(_ arguments: String..., useEnvironment: Bool = true) throws -> (status: Int32, output: String, errors: String) {
        try Command.run(
            [program] + arguments, in: directory, environment: ["SIGNALBOX_DATABASE_URL": useEnvironment ? url : ""])
    }

    private func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test("a gateway is configured from an empty database to a route and a price") func configure() throws {
        #expect(try run("account", "list").errors.contains("signalbox migrate"))
        #expect(try run("migrate").status == 0)
        #expect(try run("migrate").output.contains("up to date"))
        try Data("CONNECTOR out1 <\nTYPE=OUTGOING\nPROTOCOL=SMPP\nADDRESS=h:1\nUSERNAME=u\nPASSWORD=geheim\n>\n".utf8)
            .write(to: URL(fileURLWithPath: directory + "/server.cfg"))
        let applied = try run("config", "apply", "server.cfg")
        #expect(applied.status == 0 && applied.output.contains("+ CONNECTOR out1"))
        let shown = try run("config", "show")
        #expect(shown.output.contains("PASSWORD=***") && !shown.output.contains("geheim"))
        #expect(try run("account", "add", "demo", "--password", "secret", "--prepaid", "--balance", "10").status == 0)
        #expect(try run("access", "add", "demo", "--network", "0.0.0.0/0", "--connector", "*").status == 0)
        #expect(try run("route", "add", "--prefix", "46", "--connector", "out1").status == 0)
        #expect(try run("price", "add", "--prefix", "46", "--charge", "0.05", "--cost", "0.02").status == 0)
        let topped = try json(try run("account", "topup", "demo", "-2.50", "--json").output)
        #expect(topped["charge_balance"] as? String == "7.50")
        let account = try json(try run("account", "show", "demo", "--json").output)
        #expect(account["charge_balance"] as? String == "7.50")
        #expect((account["access"] as? [Any])?.count == 1)
        for list in ["account", "access", "route", "price", "connector"] {
            let answer = try run(list, "list", "--json")
            #expect(answer.status == 0, "\(list): \(answer.errors)")
            #expect(try json(answer.output).values.compactMap { $0 as? [Any] }.map(\.count) == [1], "\(list)")
        }
    }

    @Test("exit status 1 for what cannot be done, 64 for what was written wrongly, each with a word on standard error")
    func failures() throws {
        _ = try run("migrate")
        let unable = [
            try run("account", "show", "nobody"), try run("message", "show", "1"), try run("route", "rm", "1"),
            try run("config", "check", "missing.cfg"), try run("account", "list", "--data", "nowhere"),
            try run("route", "add", "--connector", "nope"), try run("account", "list", useEnvironment: false),
        ]
        for result in unable {
            #expect(result.status == 1, "\(result)")
            #expect(result.errors.hasPrefix("Error: ") && result.output.isEmpty, "\(result)")
        }
        let wrong = [
            try run("account", "add", "x"), try run("price", "add", "--charge", "0.0000001"), try run("message", "show", "x"),
            try run("access", "add", "x", "--network", "300.0.0.0/8", "--connector", "*"), try run("account", "topup", "x", "ten"),
        ]
        for result in wrong {
            #expect(result.status == 64, "\(result)")
            #expect(!result.errors.isEmpty && result.output.isEmpty, "\(result)")
        }
    }

    @Test("the database is found through the up.json of --data, which beats the environment") func dataDirectory() throws {
        _ = try run("migrate")
        try FileManager.default.createDirectory(atPath: directory + "/.signalbox", withIntermediateDirectories: false)
        let state = try JSONSerialization.data(withJSONObject: ["pid": 1, "database_url": url, "kafka": "h:1", "services": [String]()])
        try state.write(to: URL(fileURLWithPath: directory + "/.signalbox/up.json"))
        #expect(try run("account", "list", useEnvironment: false).output == "There are no accounts.\n")
        #expect(try run("account", "list", "--data", ".signalbox", useEnvironment: false).status == 0)
    }
}
