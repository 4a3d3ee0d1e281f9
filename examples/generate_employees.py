"""Writes employees.csv and roster.csv: a workforce that nobody has, as messy as a real list.

    python examples/generate_employees.py          # writes both beside this file
    python examples/generate_employees.py --check  # says whether they are what this would write

Every choice is drawn from a hash of SEED, so the files are the same on every machine and for ever.

No number is meant to be anybody's. Those of the United States are of the range that is kept for fiction
(555-0100 to 555-0199 in each area). The other countries keep no such range, or one that is not a valid
number (France's 06 39 98); there each number is libphonenumber's own example with its last digits changed.
The files are for the sandbox, which sends nothing to anyone.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SEED = 2026
COLUMNS = (
    "external_id", "name", "phone", "country", "language", "groups", "department", "start_date", "consent",
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True)
class Country:
    """How many work there, what they speak, and their numbers: code, national part with n for a digit that
    is drawn, the prefix of a call within the country, and how people group the digits there."""

    code: str
    name: str
    people: int
    languages: Sequence[str]
    calling: str
    numbers: Sequence[str]
    trunk: str
    grouping: Sequence[int]
    given: Sequence[str]
    family: Sequence[str]


COUNTRIES = (
    Country(
        "KE", "Kenya", 430, ("en", "sw", "sw"), "254", ("712123nnn",), "0", (3, 3, 3),
        ("Amina", "Baraka", "Wanjiru", "Otieno", "Njeri", "Kamau", "Achieng", "Juma", "Faith", "Brian"),
        ("Mwangi", "Odhiambo", "wa Thiong'o", "Kiprono", "Wekesa", "Ngũgĩ", "Hassan", "Chebet", "Muthoni"),
    ),
    Country(
        "ET", "Ethiopia", 210, ("am", "am", "en"), "251", ("911234nnn",), "0", (2, 3, 4),
        ("አበበ", "መሠረት", "Tigist", "ዮሐንስ", "Selam", "ሰላማዊት", "Dawit", "Hana"),
        ("በቀለ", "ተስፋዬ", "Gebre", "ኃይሌ", "Alemu", "Tadesse", "ወልደማርያም"),
    ),
    Country(
        "IN", "India", 190, ("en", "hi", ""), "91", ("8123456nnn",), "0", (5, 5),
        ("Priya", "Rahul", "Anita", "राम", "Kavya", "Arjun", "Meera", "Sunil"),
        ("D'Souza", "Sharma", "Iyer", "Patel", "कुमार", "Reddy", "Das"),
    ),
    Country(
        "AE", "United Arab Emirates", 130, ("ar", "ar", "en"), "971", ("501234nnn",), "0", (2, 3, 4),
        ("فاطمة", "مُحَمَّد", "Omar", "عائشة", "Layla", "يوسف", "خالد"),
        ("الزهراء", "المنصوري", "Al Hashimi", "بن راشد", "الكعبي", "Haddad"),
    ),
    Country(
        "BR", "Brazil", 120, ("pt-BR", "pt"), "55", ("11961234nnn", "21961234nnn"), "", (2, 5, 4),
        ("João", "Ana", "Luíza", "Thiago", "Márcia", "Antônio"),
        ("da Silva", "Gonçalves", "Souza", "Araújo", "Sant'Anna"),
    ),
    Country(
        "FR", "France", 100, ("fr",), "33", ("612345nnn",), "0", (1, 2, 2, 2, 2),
        ("Amélie", "Jérôme", "Chloé", "Koffi", "Élodie", "Marc"),
        ("N’Guessan", "Lefèvre", "O’Brien", "Dubois", "Traoré", "Garçon"),
    ),
    Country(
        "US", "United States", 90, ("en", "es"), "1", ("20255501nn", "31055501nn", "41555501nn"), "",
        (3, 3, 4),
        ("Grace", "Miguel", "Sofía", "Daniel", "Ruth", "Sean"),
        ("O'Connor", "Nguyen", "García", "Johnson", "Smith-Lee"),
    ),
)  # fmt: skip
TEAMS = ("Finance", "Night shift", "Warehouse", "Drivers", "Managers", "First aid")
DEPARTMENTS = ("Finance", "Operations", "Research, Development", "People & Culture", "IT", "Sales")


@dataclass(frozen=True)
class Row:
    """One line of the list."""

    external_id: str
    name: str
    phone: str
    country: str = ""
    language: str = ""
    groups: str = "All staff"
    department: str = "Operations"
    start_date: str = "2024-05-01"
    consent: str = ""


def drawn(*what: object) -> int:
    """A number that is the same for the same things, for ever."""
    text = ":".join(map(str, (SEED, *what)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def pick(options: Sequence[T], *what: object) -> T:
    return options[drawn(*what) % len(options)]


def national(country: Country, n: int) -> str:
    """The n-th national number of a country; all of one country differ."""
    pattern = country.numbers[n % len(country.numbers)]
    digits = pattern.count("n")
    count = n // len(country.numbers)
    return pattern.replace("n" * digits, f"{count:0{digits}}")


def spelled(country: Country, number: str, n: int) -> str:
    """The number as somebody in that country may type it."""
    parts, rest = [], number
    for size in country.grouping:
        parts.append(rest[:size])
        rest = rest[size:]
    code, trunk = country.calling, country.trunk
    if country.code == "US":
        grouped = f"({parts[0]}) {parts[1]}-{parts[2]}"
    else:
        grouped = trunk + " ".join(parts)
    return pick(
        (
            f"+{code}{number}", f"+{code}{number}", f"+{code} {' '.join(parts)}",
            f"+{code}-{'-'.join(parts)}", grouped, grouped, f"{trunk}{number}", f"{code}{number}",
            f"00{code}{number}",
            f"+{code} ({trunk or parts[0]}) {' '.join(parts if trunk else parts[1:])}",
        ),
        country.code, n, "spelling",
    )  # fmt: skip


def started(n: int) -> str:
    year, month, day = 2012 + drawn(n, "year") % 14, 1 + drawn(n, "month") % 12, 1 + drawn(n, "day") % 28
    names = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    forms = (f"{year}-{month:02}-{day:02}",) * 6 + (
        f"{day} {names[month - 1]} {year}",
        f"{day}.{month}.{year}",
        "",
    )
    return pick(forms, n, "start")


def belongs(n: int) -> str:
    """All staff, and none, one or two teams: most people are in two groups or three."""
    teams = [pick(TEAMS, n, "team"), pick(TEAMS, n, "second team")]
    return ";".join(dict.fromkeys(["All staff", *teams[: drawn(n, "teams") % 3]]))


def ordinary() -> Iterator[Row]:
    """The people with whom little is wrong."""
    n = 0
    for country in COUNTRIES:
        for place in range(country.people):
            n += 1
            name = f"{pick(country.given, n, 'given')} {pick(country.family, n, 'family')}"
            written = (country.code,) * 7 + (country.code.lower(), country.name)
            yield Row(
                external_id="" if drawn(n, "id") % 12 == 0 else f"E{n:05}",
                name=pick((name,) * 9 + (name.upper(), f" {name} "), n, "name"),
                phone=spelled(country, national(country, place), n),
                country=pick(written, n, "country"),
                language=pick(country.languages, n, "language"),
                groups=belongs(n),
                department=pick(DEPARTMENTS, n, "department"),
                start_date=started(n),
                consent=pick(("", "", "in"), n, "consent"),
            )


def troubled() -> Iterator[Row]:
    """What real lists hold beside: each of these is somebody's bad day."""
    # one phone in a household: two people
    yield Row("", "Neema Mutua", "0712 123 901", "KE", "sw")
    yield Row("", "Zawadi Mutua", "+254712123901", "KE", "sw", "All staff;Finance")
    yield Row("E09001", "Hiwot Bekele", "0911234901", "ET", "am")
    yield Row("E09002", "Samuel Bekele", "0911 23 49 01", "ET", "am")
    # one person twice, under two spellings of number and name
    yield Row("", "Mercy Wambui", "0712 123 902", "KE", "en", "All staff;Drivers")
    yield Row("", "MERCY  wambui ", "+254 (0) 712-123-902", "Kenya", "en", "All staff;Managers")
    yield Row("", "Adjoua N’Guessan", "06 12 34 59 03", "FR", "fr")
    yield Row("", "Adjoua N'GUESSAN", "0033612345903", "", "fr", "All staff;First aid")
    yield Row("", "مُحَمَّد الكعبي", "050 123 4904", "AE", "ar")
    yield Row("", "محمد الكعبي", "971501234904", "AE", "ar", "All staff;Night shift")
    # one person twice by the same external id, the second time with a new number
    yield Row("E09003", "Peter Otieno", "0712123905", "KE", "en")
    yield Row("E09003", "Peter Otieno", "0712123906", "KE", "en", "All staff;Warehouse")
    # numbers that are none
    for n, wrong in enumerate(
        ("n/a", "0712", "7.12124E+08", "call reception", "0712123911 / 0712123912", "0712123913 ext 12",
         "+999 712 123 914", "07121239156789", "#REF!", "-")
    ):  # fmt: skip
        yield Row(f"E091{n:02}", f"Wrong Number {n + 1}", wrong, "KE", "en")
    # no number at all; neither number nor id: nobody could tell who that is
    yield Row("E09201", "Grace Akinyi", "", "KE", "en")
    yield Row("E09202", "ሰላም ኃይሌ", "", "ET", "am")
    yield Row("", "Temporary Worker", "", "KE", "en")
    # no name
    for n in range(6):
        yield Row(f"E093{n:02}" if n % 2 else "", "", f"0712123{920 + n}", "KE", "sw")
    # a national number and no country: the workspace's is meant
    for n in range(4):
        yield Row(f"E094{n:02}", f"Wafula Barasa {n + 1}", f"0712 123 {930 + n}", "", "")
    # numbers that a spreadsheet touched, or that a chat program's direction marks surround
    yield Row("E09501", "Lilian Cherono", "254712123940.0", "KE", "en")
    yield Row("E09502", "Kevin Mutiso", "'0712123941", "KE", "en")
    yield Row("E09503", "Asha Ali", "\u202a+254 712 123942\u202c", "KE", "sw")
    yield Row("E09504", "Beatriz Nunes", "(11) 6123-4943", "BR", "pt-BR")  # before the ninth digit came
    # cells that are wrong in themselves, or hard to read from a file
    yield Row("E09601", "Halima Yusuf", "0712123950", "Wakanda", "Klingonese", start_date="31/02/2021")
    yield Row("E09602", 'Joseph "Joe" Kariuki', "0712123951", "KE", "en", department="Learning\nand Growth")
    yield Row("E09603", "Esther Naliaka", "0712123952", "KE", "en", start_date="03/04/2021")
    # those who do not want to hear from us
    yield Row("E09701", "Daniel Kimani", "0712123960", "KE", "en", "All staff;Managers", consent="out")
    yield Row("E09702", "ብርሃኔ ተስፋዬ", "0911234961", "ET", "am", consent="OUT")


def people() -> list[Row]:
    """Everybody, the troubled ones spread among the others."""
    rows = list(ordinary())
    for n, row in enumerate(troubled()):
        rows.insert(40 + n * 23, row)
    return rows


def employees() -> bytes:
    """The file: as a spreadsheet program saves it, with a byte-order mark and CRLF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in people():
        writer.writerow([getattr(row, column) for column in COLUMNS])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


# behaviour, parameter, how many times it happens (blank: always): the sandbox's words
BEHAVIOURS = (
    ("slow", "5", ""),
    ("refuse_permanent", "131026", ""),
    ("refuse_permanent", "131026", ""),
    ("refuse_permanent", "131051", ""),
    ("throttle", "1", "1"),
    ("throttle_bare", "", "2"),
    ("refuse_500", "", "1"),
    ("drop_before_accept", "", "1"),
    ("drop_after_accept", "", ""),
    ("error_after_accept", "", ""),
    ("error_after_accept", "", ""),
    ("malformed_json", "", ""),
)


def roster() -> bytes:
    """Whose phone, or whose provider's call, behaves how. All of them are people with a good number."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("number", "behaviour", "parameter", "times"))
    kenya = COUNTRIES[0]
    for n, behaviour in enumerate(BEHAVIOURS):
        writer.writerow((f"+{kenya.calling}{national(kenya, 20 + n * 30)}", *behaviour))
    return text.getvalue().encode()


def main() -> int:
    here = Path(__file__).parent
    files = {here / "employees.csv": employees(), here / "roster.csv": roster()}
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, content in files.items() if path.read_bytes() != content]
        sys.stdout.write(f"stale: {', '.join(stale)}\n" if stale else "both are as this writes them\n")
        return 1 if stale else 0
    for path, content in files.items():
        path.write_bytes(content)
        sys.stdout.write(f"wrote {path.name}: {len(content):,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
