extension String {
    /// The text between quotes, with what `escape` says in front of each scalar.
    ///
    /// By scalars, as the server reads it: with a combining mark after it a quote is another character.
    func quoted(_ escape: (Unicode.Scalar) -> Unicode.Scalar?) -> String {
        var quoted = "\"".unicodeScalars
        for scalar in self.unicodeScalars {
            if let mark = escape(scalar) { quoted.append(mark) }
            quoted.append(scalar)
        }
        quoted.append("\"")
        return String(quoted)
    }
}
