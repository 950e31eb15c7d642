import Foundation
import Testing

@testable import Supervisor

@Suite struct DataDirectoryTests {
    @Test func `one up per directory, and the second is told who the first is`() throws {
        let place = try TemporaryDirectory()
        let directory = DataDirectory(place.path)
        do {
            let lock = try DirectoryLock(directory)
            #expect(DirectoryLock.holder(directory) == getpid())
            #expect { try DirectoryLock(directory) } throws: { "\($0)".contains("process \(getpid()) runs") }
            withExtendedLifetime(lock) {}
        }
        #expect(DirectoryLock.holder(directory) == nil)
        _ = try DirectoryLock(directory)
    }

    @Test func `a file is written in one step, with its mode`() throws {
        let place = try TemporaryDirectory()
        let path = place.path + "/x.json"
        try DataDirectory.write(json: ["a": 1], to: path, mode: 0o600)
        try DataDirectory.write(json: ["a": 2], to: path, mode: 0o600)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "{\n  \"a\" : 2\n}\n")
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_mode & 0o777 == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path) == ["x.json"])
    }

    @Test func `the state is readable only while its up runs`() throws {
        let place = try TemporaryDirectory()
        let directory = DataDirectory(place.path)
        #expect { try UpState.read(directory) } throws: { "\($0)".contains("nothing is running") }
        let state = UpState(
            pid: 1, databaseURL: "postgresql://a:b@127.0.0.1:5/c", kafka: "127.0.0.1:6", smppPort: 2_775, httpPort: 8_080, smscPort: nil,
            services: ["router"],
            started: "2026-01-01T00:00:00Z", demo: true)
        try DataDirectory.write(json: state, to: directory.stateFile, mode: 0o600)
        #expect { try UpState.read(directory) } throws: { "\($0)".contains("ended without cleaning up") }
        let lock = try DirectoryLock(directory)
        let read = try UpState.read(directory)
        #expect(read.databaseURL == state.databaseURL && read.smppPort == 2_775 && read.services == ["router"])
        withExtendedLifetime(lock) {}
    }

    @Test func `secrets are made once`() throws {
        let place = try TemporaryDirectory()
        let first = try Secrets.load(DataDirectory(place.path)).databasePassword
        #expect(first.count == 32 && first.allSatisfy { $0.isLetter || $0.isNumber })
        #expect(try Secrets.load(DataDirectory(place.path)).databasePassword == first)
    }
}

@Suite struct PortsTests {
    @Test func `a port base fixes every port`() {
        let ports = Ports(base: 20_000, services: GatewayServices.all)
        #expect((ports.postgresql, ports.broker, ports.smsc, ports.smpp) == (20_000, 20_001, 20_002, 20_005))
        #expect(ports.http["routelog"] == 20_010)
        let all = ports.all.map(\.port)
        #expect(Set(all).count == all.count && all.allSatisfy { (20_000..<20_000 + UpOptions.portsPerGateway).contains($0) })
    }

    @Test func `free ports differ and are chosen again when they are free`() throws {
        let first = try Ports(remembered: nil, services: ["a", "b"])
        let all = first.all.map(\.port)
        #expect(Set(all).count == all.count)
        #expect(try Ports(remembered: first, services: ["a", "b"]).broker == first.broker)
    }

    @Test(arguments: [0, -1, 65_530, 70_000])
    func `a port base that leaves no room is refused`(base: Int) {
        #expect(throws: UpError.self) { try UpOptions(data: DataDirectory("/tmp/x"), portBase: base) }
    }
}

@Suite struct PostgreSQLTests {
    @Test(
        arguments: [("4711\n/data\n", 4_711), ("-4711\n", 4_711), ("", nil), ("text\n", nil), ("1\n", nil), ("0\n", nil)]
            as [(String, pid_t?)])
    func `the postmaster's id is the file's first line, negative for one that stood alone`(text: String, pid: pid_t?) {
        #expect(PostgresLeftovers.postmaster(in: text) == pid)
    }

    @Test func `PostgreSQL runs as its user, ends with us, and gets a capability only where it needs one`() {
        var identity = PostgresIdentity(user: "postgres", uid: 100, gid: 101)
        #expect(
            identity.commandLine("initdb", ["-D", "x"])
                == ["--pdeathsig=INT", "--reuid=postgres", "--regid=101", "--init-groups", "--", "initdb", "-D", "x"])
        identity.capability = "dac_read_search"
        #expect(identity.commandLine("p", []).contains("--ambient-caps=+dac_read_search"))
        #expect(PostgresIdentity(user: nil, uid: 1, gid: 1).commandLine("p", []) == ["--pdeathsig=INT", "--", "p"])
    }

    @Test(
        arguments: [
            ("Name:\tx\nCapEff:\t000001ffffffffff\n", "dac_read_search"), ("CapEff:\t00000000a80425fb\n", "dac_override"),
            ("CapEff:\t0000000000000000\n", nil), ("", nil),
        ] as [(String, String?)])
    func `the least capability that helps is chosen from what we have`(status: String, capability: String?) {
        #expect(PostgresIdentity.searchCapability(status: status) == capability)
    }
}

@Suite struct DemoTests {
    @Test func `docs/demo.cfg is what the demo loads`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let documented = try String(contentsOf: root.appendingPathComponent("docs/demo.cfg"), encoding: .utf8)
        #expect(
            DemoConfiguration.text(smppPort: Ports.standardSMPP, httpPort: Ports.standardWeb, smscPort: DemoConfiguration.documentedSMSC)
                == documented)
    }
}

@Suite struct StatusTests {
    @Test(arguments: [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h")])
    func `a duration is short and readable`(seconds: Int, text: String) {
        #expect(GatewayStatus.readable(seconds: seconds) == text)
    }

    @Test func `columns line up`() {
        #expect(GatewayStatus.columns([["A", "B"], ["long", ""], ["x", "y"]]) == "A     B\nlong\nx     y\n")
    }

    @Test func `without stores nothing is healthy, and why is said`() async {
        let status = await GatewayStatus.read(databaseURL: "postgresql://u:p@127.0.0.1:1/d", kafka: "127.0.0.1:1")
        #expect(!status.healthy)
        #expect(status.dependencies.map(\.state) == ["failing", "failing"])
        #expect(status.table.contains("NOT everything is healthy"))
        #expect(!status.table.contains("u:p"))
    }
}
