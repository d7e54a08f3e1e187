#pragma once

namespace lockstep {

/// The code point's lower case by UnicodeData.txt of Unicode 14.0 (its simple mapping), the same on
/// every system. Python's str.lower() differs for two: it makes two code points of U+0130, and a
/// final sigma of a capital sigma at a word's end.
char32_t lower_case(char32_t code);

}  // namespace lockstep
