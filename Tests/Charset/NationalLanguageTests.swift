import Charset
import Testing

@Suite struct NationalLanguageTests {
    @Test(
        arguments: [
            // Spots of Annex A, each read off its table: language, septet, what the locking table shows, what the single one.
            (.turkish, 0x07, "ı", nil), (.turkish, 0x1C, "Ş", nil), (.turkish, 0x40, "İ", "|"), (.turkish, 0x73, "s", "ş"),
            (.spanish, 0x09, nil, "ç"), (.spanish, 0x41, nil, "Á"), (.spanish, 0x75, nil, "ú"),
            (.portuguese, 0x15, "∞", "Ω"), (.portuguese, 0x7B, "ã", "ã"), (.portuguese, 0x05, "é", "ê"), (.portuguese, 0x7D, "`", nil),
            (.bengali, 0x00, "\u{0981}", "@"), (.bengali, 0x1F, "\u{099E}", "\u{09EB}"), (.bengali, 0x2C, ",", "\u{09F3}"),
            (.gujarati, 0x22, "\u{0A9F}", "\u{0AEC}"), (.gujarati, 0x7F, "\u{0AF1}", nil),
            (.hindi, 0x15, "क", "¡"), (.hindi, 0x5F, "्", nil), (.hindi, 0x19, "ङ", "।"), (.hindi, 0x28, ")", "{"),
            (.hindi, 0x29, "(", "}"),
            (.kannada, 0x24, "\u{0CA1}", "\u{0CEE}"), (.kannada, 0x3D, "\u{0CAA}", "~"), (.kannada, 0x00, nil, "@"),
            (.malayalam, 0x44, "\u{0D30}", "D"), (.malayalam, 0x26, "\u{0D23}", "\u{0D70}"),
            (.oriya, 0x47, "\u{0B33}", "G"), (.oriya, 0x26, "\u{0B23}", "\u{0B5C}"),
            (.punjabi, 0x23, "\u{0A20}", "\u{0A6D}"), (.punjabi, 0x7B, "\u{0A70}", nil),
            (.tamil, 0x15, "க", "¡"), (.tamil, 0x24, nil, "\u{0BEE}"), (.tamil, 0x7B, "\u{0BD7}", nil),
            (.telugu, 0x22, "\u{0C1F}", "\u{0C6C}"), (.telugu, 0x19, "\u{0C19}", nil),
            (.urdu, 0x00, "ا", "@"), (.urdu, 0x4E, "م", "N"), (.urdu, 0x3F, "?", "۔"), (.urdu, 0x65, "e", "€"),
        ] as [(NationalLanguage, UInt8, String?, String?)])
    func `the tables have the characters of Annex A`(language: NationalLanguage, septet: UInt8, locking: String?, single: String?) {
        let nothing = language.hasLockingShift ? "\u{FFFD}" : GSM7.decode([septet])
        #expect(GSM7.decode([septet], tables: ShiftTables(locking: language)) == locking ?? nothing)
        // Where the single shift table has a blank the escape has no effect (TS 23.038 §6.2.1.1).
        #expect(GSM7.decode([0x1B, septet], tables: ShiftTables(single: language)) == single ?? GSM7.decode([septet]))
    }

    @Test(arguments: NationalLanguage.allCases)
    func `every character of a language's tables encodes and comes back`(language: NationalLanguage) throws {
        for tables in [ShiftTables(single: language), .init(locking: language), .init(locking: language, single: language)] {
            var text = ""
            for septet in UInt8(0)..<128 where septet != GSM7.escape {
                for character in [GSM7.decode([septet], tables: tables), GSM7.decode([GSM7.escape, septet], tables: tables)]
                where !character.unicodeScalars.contains("\u{FFFD}") {
                    text.unicodeScalars.append(contentsOf: character.unicodeScalars)
                }
            }
            let septets = try #require(GSM7.encode(text, tables: tables))
            #expect(GSM7.decode(septets, tables: tables).unicodeScalars.elementsEqual(text.unicodeScalars))
        }
    }

    @Test(
        arguments: [
            (.turkish, "İstanbul'da şimşek çaktı, ığdır soğuk"), (.spanish, "Mañana habrá algún avión más, ¿sí?"),
            (.portuguese, "Não há informações sobre a atualização"), (.hindi, "नमस्ते दुनिया"), (.tamil, "வணக்கம்"), (.bengali, "নমস্কার"),
            (.telugu, "నమస్కారం"), (.kannada, "ನಮಸ್ಕಾರ"), (.malayalam, "നമസ്കാരം"), (.gujarati, "નમસ્તે"), (.punjabi, "ਸਤ ਸ੍ਰੀ ਅਕਾਲ"),
            (.oriya, "ନମସ୍କାର"), (.urdu, "السلام"),
        ] as [(NationalLanguage, String)])
    func `a text of the language takes septets where its table is offered, else UCS-2`(language: NationalLanguage, text: String) throws {
        #expect(EncodedText.choose(text).encoding == .ucs2)
        let long = String(repeating: text, count: 3)
        let chosen = EncodedText.choose(long, options: EncodingOptions(nationalLanguages: [language]))
        #expect(chosen.encoding == .gsm7)
        #expect(!chosen.shiftTables.isEmpty)
        #expect(GSM7.decode(chosen.octets, tables: chosen.shiftTables) == long)
        // What is announced in the header is what the receiver reads by.
        let segment = try #require(try Segmenter.segments(chosen, reference: 1).first)
        let header = try #require(UserDataHeader.parse(segment.udh)).header
        #expect(header.shiftTables == chosen.shiftTables)
        #expect(
            DecodedBody(octets: Array(long.isEmpty ? [] : segment.octets), dataCoding: 0, shiftTables: header.shiftTables)
                == .text(GSM7.decode(segment.octets, tables: chosen.shiftTables)))
    }

    @Test func `a text that the default alphabet holds needs no table, and one in no table is UCS-2`() {
        let options = EncodingOptions(nationalLanguages: NationalLanguage.allCases)
        #expect(
            EncodedText.choose("plain text {with} €", options: options)
                == EncodedText(encoding: .gsm7, octets: GSM7.encode("plain text {with} €") ?? []))
        #expect(EncodedText.choose("ж", options: options).encoding == .ucs2)
        #expect(EncodedText.choose("şж", options: options).encoding == .ucs2)
        // Of two tables that hold it, the shorter: behind an escape a letter takes two septets.
        let turkish = EncodedText.choose("Bu bir ş ve devam eden uzun bir metin", options: options)
        #expect(turkish.shiftTables == ShiftTables(locking: .turkish))
        let dense = EncodedText.choose(String(repeating: "şığİ", count: 20), options: options)
        #expect(dense.shiftTables.locking == .turkish)
    }

    @Test(
        arguments: [
            ("one table, alone", [UserDataHeader.Element](), ShiftTables(single: .turkish), 155, 1),
            ("one table, one more", [], ShiftTables(single: .turkish), 156, 2),
            ("one table, two parts full", [], ShiftTables(single: .turkish), 298, 2),
            ("one table, three parts", [], ShiftTables(single: .turkish), 299, 3),
            ("both tables, alone", [], ShiftTables(locking: .turkish, single: .turkish), 152, 1),
            ("both tables, two parts full", [], ShiftTables(locking: .turkish, single: .turkish), 292, 2),
            ("ports, alone", [.init(identifier: 5, data: [0, 1, 0, 2])], .none, 152, 1),
            ("ports, one more", [.init(identifier: 5, data: [0, 1, 0, 2])], .none, 153, 2),
        ] as [(String, [UserDataHeader.Element], ShiftTables, Int, Int)])
    func `what stands in the header takes room from the text`(
        name: String, elements: [UserDataHeader.Element], tables: ShiftTables, septets: Int, parts: Int
    ) throws {
        let text = EncodedText(encoding: .gsm7, octets: Array(repeating: 0x61, count: septets), shiftTables: tables)
        let options = SegmentationOptions(elements: elements)
        let segments = try Segmenter.segments(text, options: options, reference: 9)
        #expect(segments.count == parts)
        #expect(Segmenter.count(text, options: options) == parts)
        for segment in segments {
            #expect(segment.udh.count + GSM7.pack(segment.octets).count <= 140)
            #expect(UserDataHeader.parse(segment.udh)?.header.shiftTables ?? .none == tables)
        }
        #expect(segments.flatMap(\.octets) == text.octets)
    }

    @Test func `a header that leaves no room is an error, not an endless loop`() {
        let huge = SegmentationOptions(elements: [.init(identifier: 0x70, data: Array(repeating: 0, count: 126))])
        #expect(throws: SegmentationError.headerTooLong(octets: 134)) {
            try Segmenter.segments(text: String(repeating: "a", count: 200), options: huge, reference: 1)
        }
        #expect(Segmenter.count(text: String(repeating: "a", count: 200), options: huge) == .max)
    }
}
