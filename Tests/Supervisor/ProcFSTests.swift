import Foundation
import Testing

@testable import Supervisor

@Suite struct ProcFSTests {
    @Test func `what /proc tells of this very process is right`() throws {
        let pid = getpid()
        #expect(ProcFS.pids().contains(pid))
        #expect(ProcFS.isAlive(pid))
        #expect(ProcFS.workingDirectory(pid) == FileManager.default.currentDirectoryPath)
        let path = try #require(ProcessInfo.processInfo.environment["PATH"])
        #expect(ProcFS.environment(pid).contains(Substring("PATH=\(path)")))
        #expect(ProcFS.command(pid)?.isEmpty == false)
    }

    @Test func `a process that is not there is not alive`() {
        #expect(!ProcFS.isAlive(0x7fff_fff0))
        #expect(ProcFS.environment(0x7fff_fff0).isEmpty)
    }
}
