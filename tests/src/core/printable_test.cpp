#include "src/core/printable.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Printable, KeepsValidUtf8) {
  for (const char* text :
       {"Größe", "Größe\u0301", "データ", "имя", "نام", "\U0001F600", "می\u200cخواهم"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatATerminalObeys) {
  EXPECT_EQ(printable("\x1b[31m\x07\n\x7f"), "\\x1b[31m\\x07\\x0a\\x7f");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m");  // C1: CSI
}

TEST(Printable, EscapesWhatReversesOrHidesText) {
  EXPECT_EQ(printable("a\u202eb"), "a\\xe2\\x80\\xaeb");
  EXPECT_EQ(printable("a\u2066b"), "a\\xe2\\x81\\xa6b");
  EXPECT_EQ(printable("a\u2028b"), "a\\xe2\\x80\\xa8b");
  EXPECT_EQ(printable("a\u200bb"), "a\\xe2\\x80\\x8bb");
  EXPECT_EQ(printable("a\ufeff"), "a\\xef\\xbb\\xbf");
  EXPECT_EQ(printable("\U000E0041"), "\\xf3\\xa0\\x81\\x81");
}

TEST(Printable, EscapesWhatIsNoUtf8) {
  EXPECT_EQ(printable("\xff"), "\\xff");
  EXPECT_EQ(printable("Gr\xf6\xdf"
                      "e"),
            "Gr\\xf6\\xdfe");                                        // Latin-1
  EXPECT_EQ(printable("\xc0\xaf"), "\\xc0\\xaf");                    // overlong
  EXPECT_EQ(printable("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  EXPECT_EQ(printable("\xe3\x83"), "\\xe3\\x83");                    // cut off
  EXPECT_EQ(printable("\xef\xbf\xbf"), "\\xef\\xbf\\xbf");           // U+FFFF
}

TEST(Printable, CutsBetweenCharacters) {
  EXPECT_EQ(printable("abcdef", 4), "abcd...");
  EXPECT_EQ(printable("abcd", 4), "abcd");
  EXPECT_EQ(printable("aöö", 4), "aö...");
}

}  // namespace
}  // namespace lockstep
