import CPCRE2

/// A regular expression over a message's text: PCRE2 in UTF mode, upper and lower case alike (`(?-i)` at its start tells them apart).
///
/// Bounded: at most 512 octets of pattern, 16 KiB of text, and a fixed number of steps; what runs out of steps does not match.
/// Source: pcre2api(3), "Match context".
///
/// `@unchecked Sendable`: a compiled pattern and a match context "can be used simultaneously by several threads" as matching does not
/// alter them (pcre2api(3), "Multithreading"); each match makes its own match data.
public final class BodyPattern: @unchecked Sendable {
    public static let maxPatternOctets = 512
    /// A text of the longest possible message (255 parts) is longer: only its beginning is looked at.
    static let maxTextOctets = 16_384
    /// Steps of the matcher, and how deep it may nest: about a millisecond at the worst.
    private static let maxSteps: UInt32 = 20_000
    private static let maxDepth: UInt32 = 500
    private static let maxHeapKibibytes: UInt32 = 512

    public let text: String
    private let code: OpaquePointer
    private let context: OpaquePointer

    /// Why a pattern cannot be used, in PCRE2's words.
    public struct Fault: Error, Sendable, Equatable, CustomStringConvertible {
        public let description: String
    }

    public init(_ text: String) throws(Fault) {
        guard !text.isEmpty, text.utf8.count <= Self.maxPatternOctets else {
            throw Fault(description: "a regular expression has 1 to \(Self.maxPatternOctets) octets")
        }
        var number: Int32 = 0
        var offset = 0
        let octets = Array(text.utf8)
        // \C could stop within a character, which UTF mode does not survive.
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_UCP) | UInt32(PCRE2_CASELESS) | UInt32(PCRE2_NEVER_BACKSLASH_C)
        guard let code = pcre2_compile_8(octets, octets.count, options, &number, &offset, nil) else {
            throw Fault(description: "\(Self.message(number)) at character \(offset + 1)")
        }
        guard let context = pcre2_match_context_create_8(nil) else {
            pcre2_code_free_8(code)
            throw Fault(description: "out of memory")
        }
        pcre2_set_match_limit_8(context, Self.maxSteps)
        pcre2_set_depth_limit_8(context, Self.maxDepth)
        pcre2_set_heap_limit_8(context, Self.maxHeapKibibytes)
        self.text = text
        self.code = code
        self.context = context
    }

    deinit {
        pcre2_match_context_free_8(context)
        pcre2_code_free_8(code)
    }

    /// Whether the expression is found anywhere in `text`.
    public func matches(_ text: String) -> Bool {
        guard let data = pcre2_match_data_create_8(1, nil) else { return false }
        defer { pcre2_match_data_free_8(data) }
        return search(text, data)
    }

    /// - Returns: what the expression's first group found in `text`, or all that it found where it has no group; nil where it finds
    ///   nothing, or the group took no part.
    public func firstGroup(in text: String) -> String? {
        guard let data = pcre2_match_data_create_from_pattern_8(code, nil) else { return nil }
        defer { pcre2_match_data_free_8(data) }
        guard search(text, data) else { return nil }
        let group = pcre2_get_ovector_count_8(data) > 1 ? 1 : 0
        // Pairs of a group's start and end, which are both PCRE2_UNSET (all bits set) where it took no part: no octets of a text.
        guard let ends = pcre2_get_ovector_pointer_8(data) else { return nil }
        let (start, end) = (ends[2 * group], ends[2 * group + 1])
        guard start <= end, end <= text.utf8.count else { return nil }
        return String(decoding: Array(text.utf8)[start..<end], as: UTF8.self)
    }

    private func search(_ text: String, _ data: OpaquePointer) -> Bool {
        var text = text
        return text.withUTF8 { octets in
            var count = min(octets.count, Self.maxTextOctets)
            // Not within a character: its later octets are 10xxxxxx.
            while count < octets.count, count > 0, octets[count] & 0xC0 == 0x80 { count -= 1 }
            // PCRE2 wants a pointer also for no text at all.
            guard count > 0 else { return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 1) { run($0.baseAddress, 0, data) } }
            return run(octets.baseAddress, count, data)
        }
    }

    /// `text` with the first place that fits replaced; `$1` and `${1}` are groups, an unset group is empty.
    /// - Returns: nil where nothing fits, or the result is longer than `maxOctets`.
    func replacing(in text: String, with replacement: String, maxOctets: Int) -> String? {
        guard text.utf8.count <= Self.maxTextOctets else { return nil }
        var result: String?
        _ = substitute(Array(text.utf8), replacement, maxOctets) { result = $0 }
        return result
    }

    /// What PCRE2 says of a replacement by itself, such as of a group that the pattern has not; nil = nothing.
    func problem(ofReplacement replacement: String) -> String? {
        // Only a replacement that is used is read; this one's text always fits.
        guard let probe = try? BodyPattern("(?:\(text))|\\A") else { return "the pattern cannot be alternated" }
        let code = probe.substitute([], replacement, Self.maxTextOctets) { _ in }
        return code < 0 ? Self.message(code) : nil
    }

    /// - Returns: the number of replacements, or PCRE2's error. Source: pcre2api(3), "Creating a new string with substitutions".
    private func substitute(_ octets: [UInt8], _ replacement: String, _ maxOctets: Int, _ found: (String) -> Void) -> Int32 {
        let wanted = Array(replacement.utf8)
        // PCRE2 wants room for a zero at the end.
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxOctets + 1) { buffer in
            var length = buffer.count
            // An array's pointer is there for no octets too.
            let code = pcre2_substitute_8(
                code, octets + [0], octets.count, 0, UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_SUBSTITUTE_UNSET_EMPTY), nil, context,
                wanted + [0], wanted.count, buffer.baseAddress, &length)
            if code > 0 { found(String(decoding: buffer[..<length], as: UTF8.self)) }
            return code
        }
    }

    private func run(_ start: UnsafePointer<UInt8>?, _ count: Int, _ data: OpaquePointer) -> Bool {
        // A Swift string is valid UTF-8, and it was cut between characters. 0: found, with more groups than there is room to note.
        pcre2_match_8(code, start, count, 0, UInt32(PCRE2_NO_UTF_CHECK), data, context) >= 0
    }

    private func run(_ start: UnsafeMutablePointer<UInt8>?, _ count: Int, _ data: OpaquePointer) -> Bool {
        run(start.map { UnsafePointer($0) }, count, data)
    }

    private static func message(_ number: Int32) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let length = pcre2_get_error_message_8(number, buffer.baseAddress, buffer.count)
            guard length > 0 else { return "no regular expression" }
            return String(decoding: buffer[..<Int(length)], as: UTF8.self)
        }
    }
}
