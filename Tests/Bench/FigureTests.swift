import LoadModel
import SMPP
import Testing

@testable import Bench

@Suite struct `What the kernel says` {
    @Test func `a process's name may hold brackets and spaces`() throws {
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 1 0 100 1000 10 18446744073709551615"
        let found = try #require(ProcessFigures.parse(stat: line))
        #expect(found.parent == 7 && found.ticks == 350)
    }

    @Test(arguments: ["", "42 (x", "42 (x) S", "42 (x) S y 1 1 1 1 1 1 1 1 1 1 1 1 1 1"])
    func `what cannot be read is nothing`(line: String) {
        #expect(ProcessFigures.parse(stat: line) == nil)
    }

    @Test func `a number stands behind its name`() {
        let io = "rchar: 5\nwrite_bytes: 4096\ncancelled_write_bytes: 12\n"
        #expect(ProcessFigures.number("write_bytes", in: io) == 4_096 && ProcessFigures.number("cancelled_write_bytes", in: io) == 12)
        #expect(ProcessFigures.number("Pss", in: "Rss:  9 kB\nPss:     7 kB\n") == 7 && ProcessFigures.number("Pss", in: io) == nil)
    }

    @Test func `the gateway's sum leaves the load and the provider out`() {
        var sample = GatewaySample()
        sample.processes = [
            "router": .init(cpuSeconds: 1), "broker": .init(cpuSeconds: 2), "load": .init(cpuSeconds: 4), "provider": .init(cpuSeconds: 8),
        ]
        #expect(sample.total(without: GatewaySample.others).cpuSeconds == 3)
    }
}

@Suite struct `A load's messages` {
    private func plan(characters: Int) -> LoadPlan {
        LoadPlan(
            port: 0, systemID: "a", password: "b", sessions: 1, window: 1, firstDestination: 461_000_000_000, asksForReports: true,
            textCharacters: characters, parts: 1)
    }

    @Test(arguments: [20, 90, 160, 161, 400])
    func `have the length that was asked for, and each its number`(characters: Int) {
        let submit = plan(characters: characters).submit(7)
        #expect(submit.userData.count == characters && submit.destinationAddr.value == "461000000007")
        #expect(submit.shortMessage.isEmpty == (characters > 160))
        #expect(submit.userData.starts(with: Array("Message 7 ".utf8)))
    }
}

@Suite struct `The bench's table` {
    @Test(
        arguments: [(0, "0"), (0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (999.6, "1,000"), (1_234_567, "1,234,567"), (-5, "-5")]
            as [(Double, String)])
    func `writes numbers for people`(value: Double, text: String) {
        #expect(ResultTable.number(value) == text)
    }

    @Test func `names an aim that is missed, and books that differ`() {
        var result = BenchResult(started: "", isQuick: true, isDebugBuild: false, cores: 2, loadBefore: 0)
        var own = CaseResult(BenchCase.all[0])
        own.endToEndPerSecond = 20_000
        var through = CaseResult(BenchCase.all[0])
        through.name = "reports"
        through.endToEndPerSecond = 10_000
        through.messages = 1
        through.faults = ["1 reports came twice"]
        result.cases = [own, through]
        result.compare()
        #expect(result.faults == ["reports: 1 reports came twice"])
        #expect(result.figures.first?.value == 2 && result.figures.first?.isReached == false)
        let text = ResultTable.text(result)
        #expect(text.contains("missed") && text.contains("do NOT agree") && text.contains("reports: 1 reports came twice"))
    }

    @Test func `what cannot be measured is refused before anything starts`() {
        #expect(BenchOptions().validate() == [])
        #expect(BenchOptions(cases: ["nonsense"], seconds: 0, backlog: 5).validate().count == 3)
    }
}
