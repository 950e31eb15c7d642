import Database
import Foundation
import Pricing
import Store
import Testing
import TestSupport

@Suite final class MessageStoreTests {
    @Test("a message's story holds its row, body, options, bookings and reports") func story() throws {
        let connection = try Connection(url: try TestPostgres.freshDatabase(), applicationName: "tests")
        try Schema.migrate(connection)
        #expect(try MessageStore.show(connection, msgid: 777) == nil)
        try connection.script(
            """
            INSERT INTO routelog (msgid, msgtype, status, startsecs, startmsecs, endsecs, endmsecs, charge)
                VALUES (777, 1, 11, 1800000000, 5, 1800000001, 7, 0.05), (779, 5, 3, 1800000001, 6, NULL, NULL, NULL);
            UPDATE routelog SET origid = 777 WHERE msgid = 779;
            INSERT INTO messagebody (msgid, body, charcode) VALUES (777, 'hello', 'GSM7');
            INSERT INTO messageoptions VALUES (777, 'DLR=1');
            INSERT INTO ledger (msgid, kind, userid, username, amount, balance_after, mechanism) VALUES (777, 1, 1, 'demo', -0.05, 1, 2);
            """)
        let story = try #require(try MessageStore.show(connection, msgid: 777))
        #expect(story.message.acceptedAt == 1_800_000_000_005)
        #expect(story.message.endedAt == 1_800_000_001_007)
        #expect(story.message.reportedAt == nil)
        #expect(story.body?.text == "hello")
        #expect(story.options == ["DLR": "1"])
        #expect(story.reports.map(\.msgid) == [779])
        #expect(story.bookings.map(\.amount.description) == ["-0.05"])
        let encoded = String(decoding: try JSONEncoder().encode(story), as: UTF8.self)
        #expect(encoded.contains(#""msgid":"777""#) && encoded.contains(#""charge":"0.05""#))
    }
}
