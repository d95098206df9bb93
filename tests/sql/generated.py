"""Statements over the shop that SQLite, PostgreSQL and MariaDB all take, with the values of their placeholders.

Types are kept apart, because PostgreSQL does: numbers meet numbers, words words, flags flags.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Made = tuple[str, tuple[Any, ...]]
NUMBERS = ("stock", "p.id", "length(sku)")
WORDS = ("sku", "title", "lower(title)", "upper(sku)", "coalesce(title, '')", "replace(sku, '-', '')", "trim(title)")
OPERATORS = ("=", "<>", "!=", "<", "<=", ">", ">=")
LITERALS = ("'anvil'", "''", "'A-1'", "'é_b'")
_NUMBER = st.sampled_from((0, 1, 2, 10, -7))
_WORD = st.sampled_from(("alpha", "", "%n%", "é_b", "Anvil", "a_vil"))


def _joined(*parts: str | Made) -> Made:
    made = [(part, ()) if isinstance(part, str) else part for part in parts]
    return "".join(text for text, _ in made), tuple(value for _, values in made for value in values)


@st.composite
def number(draw: st.DrawFn, depth: int = 1) -> Made:
    if depth and draw(st.booleans()):
        shape = draw(st.sampled_from((" + ", " - ", " * ")))
        return _joined("(", draw(number(depth - 1)), shape, draw(number(depth - 1)), ")")
    plain = st.sampled_from((*NUMBERS, *NUMBERS, "1", "0", "-3")).map(lambda text: (text, ()))
    return draw(st.one_of(plain, st.sampled_from(("coalesce(stock, 0)", "abs(stock)")).map(lambda text: (text, ()))))


@st.composite
def word(draw: st.DrawFn) -> Made:
    return draw(st.sampled_from((*WORDS, *LITERALS)).map(lambda text: (text, ())))


@st.composite
def condition(draw: st.DrawFn, depth: int = 2) -> Made:
    if depth and draw(st.booleans()):
        left, right = draw(condition(depth - 1)), draw(condition(depth - 1))
        how = draw(st.sampled_from((" AND ", " OR ", "NOT")))
        return _joined("NOT (", right, ")") if how == "NOT" else _joined("(", left, how, right, ")")
    return draw(st.one_of(_compared(), _spoken(), _listed(), _flagged(), _nested()))


@st.composite
def _compared(draw: st.DrawFn) -> Made:
    operator = f" {draw(st.sampled_from(OPERATORS))} "
    given_ = draw(_NUMBER.map(lambda value: ("?", (value,))))
    return _joined(draw(number()), operator, draw(st.one_of(number(), st.just(given_))))


@st.composite
def _spoken(draw: st.DrawFn) -> Made:
    negated = draw(st.sampled_from(("", "NOT ")))
    operator = draw(st.sampled_from((*OPERATORS, f"{negated}LIKE")))
    given_ = draw(_WORD.map(lambda value: ("?", (value,))))
    return _joined(draw(word()), f" {operator} ", draw(st.one_of(word(), st.just(given_))))


@st.composite
def _listed(draw: st.DrawFn) -> Made:
    negated = draw(st.sampled_from(("", "NOT ")))
    first, second = draw(_NUMBER), draw(_NUMBER)
    if draw(st.booleans()):
        return _joined(draw(number(0)), f" {negated}BETWEEN ", ("? AND ?", (first, second)))
    null = draw(st.sampled_from(("", ", NULL")))
    return _joined(draw(st.sampled_from(("stock", "p.id"))), f" {negated}IN ", (f"(?, 3, ?{null})", (first, second)))


@st.composite
def _flagged(draw: st.DrawFn) -> Made:
    column = draw(st.sampled_from(("title", "weight", "active")))
    flags = ("active = TRUE", "active <> TRUE", "NOT active", "active", "active IS NOT TRUE", "active IS FALSE")
    nulls = (f"{column} IS NULL", f"{column} IS NOT NULL")
    return draw(st.sampled_from((*flags, *nulls))), ()


@st.composite
def _nested(draw: st.DrawFn) -> Made:
    negated = draw(st.sampled_from(("", "NOT ")))
    shape = draw(
        st.sampled_from(
            (
                "{0}EXISTS (SELECT 1 FROM order_items i WHERE i.product_id = p.id)",
                "{0}EXISTS (SELECT 1 FROM order_items i WHERE i.product_id = p.id AND i.quantity > 1)",
                "p.id {0}IN (SELECT product_id FROM order_items WHERE quantity > 1)",
                "p.id {0}IN (SELECT customer_id FROM visits)",
                "stock > (SELECT MIN(seconds) FROM visits)",
                "{0}(p.price >= (SELECT AVG(price) FROM order_items i WHERE i.product_id = p.id))",
                "(SELECT COUNT(*) FROM order_items i WHERE i.product_id = p.id) = 1",
            )
        )
    )
    return shape.format(negated), ()


@st.composite
def select(draw: st.DrawFn) -> Made:
    items = draw(st.lists(st.one_of(number(), word()), min_size=1, max_size=3))
    named = [_joined(item, f" AS c{place}") for place, item in enumerate(items)]
    listed = _joined(*(part for item in named for part in (", ", item)))
    order = draw(st.sampled_from(("", " ORDER BY p.id", " ORDER BY p.id DESC", " ORDER BY p.id LIMIT 2 OFFSET 1")))
    return _joined("SELECT ", (listed[0][2:], listed[1]), " FROM products p WHERE ", draw(condition()), order)


@st.composite
def grouped(draw: st.DrawFn) -> Made:
    key = draw(st.sampled_from(("title", "active", "lower(title)", "price")))
    value = draw(
        st.sampled_from(("COUNT(*)", "SUM(stock)", "MAX(p.id)", "COUNT(DISTINCT price)", "AVG(weight)", "MIN(sku)"))
    )
    having = draw(st.sampled_from(("", " HAVING COUNT(*) > 1", f" HAVING {value} IS NOT NULL")))
    return _joined(
        f"SELECT {key} AS k, {value} AS v FROM products p WHERE ", draw(condition(1)), f" GROUP BY {key}{having}"
    )


@st.composite
def joined(draw: st.DrawFn) -> Made:
    how = draw(st.sampled_from(("JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN")))
    other, on, column = draw(
        st.sampled_from(
            (
                ("order_items u", "u.product_id = p.id", "u.quantity"),
                ("order_items u", "u.product_id = p.id AND u.quantity > 1", "u.order_id"),
                ("products u", "u.price = p.price AND u.id <> p.id", "u.sku"),
                ("visits u", "u.customer_id = p.id", "u.page"),
                (
                    "(SELECT product_id, COUNT(*) AS c FROM order_items GROUP BY product_id) u",
                    "u.product_id = p.id",
                    "u.c",
                ),
            )
        )
    )
    items = draw(st.sampled_from((f"p.id, {column}", f"{column}, p.sku", "COUNT(*)", f"COUNT({column}), MAX(p.stock)")))
    where = draw(st.one_of(st.just(("p.id > 0", ())), condition(1).filter(lambda made: _plain(made[0]))))
    where = (where[0].replace("stock", "p.stock").replace("p.p.", "p."), where[1])
    return _joined(f"SELECT {items} FROM products p {how} {other} ON {on} WHERE ", where)


def _plain(text: str) -> bool:
    """Whether no name of it may be of two tables of a join."""
    return not any(name in text for name in ("sku", "title", "weight", "active", "price", "SELECT"))


@st.composite
def combined(draw: st.DrawFn) -> Made:
    operator = draw(st.sampled_from((" UNION ", " UNION ALL ")))
    parts = ("SELECT id, name FROM customers", "SELECT id, sku FROM products", "SELECT customer_id, page FROM visits")
    members = draw(st.lists(st.sampled_from(parts), min_size=2, max_size=3))
    order = draw(st.sampled_from(("", " ORDER BY 1, 2", " ORDER BY 2 DESC, 1 LIMIT 2")))
    return operator.join(members) + (order if "LIMIT" not in order or operator == " UNION " else ""), ()


@st.composite
def windowed(draw: st.DrawFn) -> Made:
    call = draw(st.sampled_from(("ROW_NUMBER()", "RANK()", "SUM(stock)", "COUNT(*)", "LAG(sku)", "MAX(price)")))
    part = draw(st.sampled_from(("", "PARTITION BY title ", "PARTITION BY active, price ")))
    order = draw(st.sampled_from(("ORDER BY p.id", "ORDER BY stock DESC, p.id")))
    over = f"SELECT p.id, {call} OVER ({part}{order}) AS w FROM products p WHERE "
    return _joined(over, draw(condition(1)), " ORDER BY p.id")


@st.composite
def change(draw: st.DrawFn) -> Made:
    where = draw(condition())
    free = "order_items" not in where[0] and " p WHERE" not in where[0]
    where = where if free else ("p.id = 2", ())
    text, values = where[0].replace("p.id", "products.id").replace("p.price", "products.price"), where[1]
    if draw(st.booleans()):
        return "DELETE FROM products WHERE id NOT IN (SELECT product_id FROM order_items) AND " + text, values
    put = draw(number())
    value = (put[0].replace("p.id", "products.id"), put[1])
    title = draw(st.one_of(_WORD.map(lambda value: ("?", (value,))), st.sampled_from((("sku", ()), ("NULL", ())))))
    return _joined("UPDATE products SET title = ", title, ", stock = ", value, " WHERE ", (text, values))


@st.composite
def inserted(draw: st.DrawFn) -> Made:
    rows = st.sampled_from(("('N-1', 'New', 1)", "('A-1', NULL, 2)", "('N-2', '', 3.5)"))
    if draw(st.booleans()):
        where = draw(condition(1).filter(lambda made: "SELECT" not in made[0]))
        taken = "INSERT INTO order_items (order_id, product_id, quantity) SELECT 4, p.id, 1 FROM products p WHERE "
        return _joined(taken, where)
    listed = ", ".join(draw(st.lists(rows, min_size=1, max_size=2, unique=True)))
    return f"INSERT INTO products (sku, title, price) VALUES {listed}", ()


STATEMENTS: st.SearchStrategy[Made] = st.one_of(
    select(), select(), grouped(), joined(), combined(), windowed(), change(), inserted()
)
