import ServiceKit
import Testing

@Suite struct HealthTests {
    @Test func `a note is told while all is well, behind any trouble, and until it is taken back`() {
        let health = Health()
        health.set("stage", .healthy)
        #expect(health.summary == ("healthy", ""))
        health.note("message log", "texts are left out")
        #expect(health.summary == ("healthy", "message log: texts are left out"))
        health.set("stage", .failing("the database is away"))
        #expect(health.summary == ("failing", "stage: the database is away"))
        health.set("stage", .healthy)
        health.note("message log", nil)
        #expect(health.summary == ("healthy", ""))
    }
}
