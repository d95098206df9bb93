"""Statements over the shop, as code holds them; `?` stands for the driver's placeholder.

`on`: the dialects that take the statement (s, p, m). `not_proven`: those where its certificate is not `proven`.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    sql: str
    params: Any = ()
    on: str = "spm"
    not_proven: str = ""


C = Case
DAY = datetime.datetime(2024, 1, 1, 10, 0, 0, 1)
SHOP: tuple[Case, ...] = (
    # Columns and expressions
    C("SELECT id, name FROM customers ORDER BY id"),
    C("SELECT * FROM customers ORDER BY id"),
    C("SELECT * FROM orders WHERE customer_id = ?", (1,)),
    C("SELECT o.* FROM orders o WHERE o.total > ? ORDER BY o.id", (5,)),
    C("SELECT DISTINCT city FROM customers"),
    C("SELECT DISTINCT city, vip FROM customers ORDER BY city, vip"),
    C("SELECT id AS customer, status AS s FROM orders ORDER BY id"),
    C("SELECT price, weight, stock, active FROM products ORDER BY id"),
    C("SELECT joined, balance, vip FROM customers ORDER BY id"),
    C("SELECT id, placed_at FROM orders ORDER BY placed_at, id"),
    C("SELECT sku FROM products WHERE NOT (NOT (weight > 3)) ORDER BY id"),
    C("SELECT sku FROM products WHERE NOT (stock NOT BETWEEN 1 AND 5) ORDER BY id"),
    C("SELECT sku FROM products WHERE NOT (weight NOT IN (45.5, NULL)) ORDER BY id"),
    C("SELECT sku FROM products WHERE NOT (title NOT LIKE 'A%') ORDER BY id"),
    C("SELECT 1"),
    C("SELECT 1 AS one, 'x' AS x, NULL AS empty"),
    C("SELECT 1 FROM customers WHERE email = ?", ("ann@x.org",)),
    C("SELECT page, seconds FROM visits"),
    C("SELECT stock + 1, stock - 1, stock * 2 FROM products ORDER BY id"),
    C("SELECT stock % 5 FROM products WHERE stock >= 0 ORDER BY id"),
    C("SELECT (stock + 1) * 2 AS twice FROM products ORDER BY id"),
    C("SELECT stock / 2 FROM products ORDER BY id", on="sp"),
    C("SELECT stock / 2 FROM products ORDER BY id", on="m"),
    C("SELECT -stock FROM products ORDER BY id"),
    C("SELECT name || '!' FROM customers ORDER BY id", on="sp"),
    C("SELECT CONCAT(name, ' of ', city) FROM customers ORDER BY id", on="m"),
    C("SELECT COALESCE(email, 'none') AS mail FROM customers ORDER BY id"),
    C("SELECT COALESCE(total, 0) FROM orders ORDER BY id"),
    C("SELECT NULLIF(status, 'paid') FROM orders ORDER BY id"),
    C("SELECT LOWER(name), UPPER(city), LENGTH(name) FROM customers ORDER BY id"),
    C("SELECT SUBSTR(sku, 1, 1) FROM products ORDER BY id"),
    C("SELECT TRIM(title) FROM products ORDER BY id"),
    C("SELECT REPLACE(sku, '-', '') FROM products ORDER BY id"),
    C("SELECT ABS(stock), ROUND(weight) FROM products ORDER BY id"),
    C("SELECT CAST(stock AS VARCHAR) FROM products ORDER BY id", on="sp"),
    C("SELECT CAST(stock AS CHAR) FROM products ORDER BY id", on="m"),
    C("SELECT CAST(SUBSTR(sku, 3) AS INTEGER) FROM products ORDER BY id", on="sp"),
    C("SELECT CASE WHEN stock > 0 THEN 'in' WHEN stock = 0 THEN 'out' ELSE 'owed' END FROM products ORDER BY id"),
    C("SELECT CASE status WHEN 'paid' THEN 1 WHEN 'open' THEN 0 END AS done FROM orders ORDER BY id"),
    C("SELECT id, total IS NULL AS missing FROM orders ORDER BY id"),
    C("SELECT id, stock > 0, stock BETWEEN 1 AND 5 FROM products ORDER BY id"),
    # Conditions
    C("SELECT id FROM customers WHERE id = ?", (3,)),
    C("SELECT id FROM customers WHERE id = ?", (99,)),
    C("SELECT id FROM customers WHERE email = ?", (None,)),
    C("SELECT id FROM customers WHERE email <> ?", (None,)),
    C("SELECT id FROM customers WHERE NOT email = ?", ("ann@x.org",)),
    C("SELECT id FROM customers WHERE email IS NULL ORDER BY id"),
    C("SELECT id FROM customers WHERE email IS NOT NULL ORDER BY id"),
    C("SELECT id FROM customers WHERE email = NULL"),
    C("SELECT id FROM customers WHERE city = ''"),
    C("SELECT id FROM customers WHERE name = 'O''Brien 100%'"),
    C("SELECT id FROM customers WHERE name = ?", ("Čapek",)),
    C("SELECT id FROM customers WHERE vip = TRUE ORDER BY id"),
    C("SELECT id FROM customers WHERE vip = 1 ORDER BY id", on="sm"),
    C("SELECT id FROM products WHERE active = FALSE"),
    C("SELECT id FROM products WHERE active <> TRUE"),
    C("SELECT id FROM products WHERE NOT active", not_proven="s", on="sp"),
    C("SELECT id FROM products WHERE active IS NULL"),
    C("SELECT id FROM products WHERE active IS NOT TRUE ORDER BY id"),
    C("SELECT id FROM orders WHERE total > ? AND total < ?", (5, 101)),
    C("SELECT id FROM orders WHERE total >= 7 OR status = 'open' ORDER BY id"),
    C("SELECT id FROM orders WHERE NOT (status = 'paid' OR total IS NULL)"),
    C("SELECT id FROM orders WHERE ? < total ORDER BY id", (7,)),
    C("SELECT id FROM customers WHERE id IN (1, 3, 5) ORDER BY id"),
    C("SELECT id FROM customers WHERE city IN (?, ?) ORDER BY id", ("Oslo", "Rome")),
    C("SELECT id FROM customers WHERE city NOT IN ('Oslo', NULL)"),
    C("SELECT id FROM customers WHERE city NOT IN (?, ?)", ("Oslo", None)),
    C("SELECT id FROM orders WHERE total BETWEEN ? AND ? ORDER BY id", (0, 50)),
    C("SELECT id FROM orders WHERE total NOT BETWEEN 0 AND 50 ORDER BY id"),
    C("SELECT id FROM products WHERE title LIKE 'A%' ORDER BY id"),
    C("SELECT id FROM products WHERE sku LIKE ? ORDER BY id", ("%-%",)),
    C("SELECT id FROM products WHERE title NOT LIKE '%n%'"),
    C("SELECT id FROM products WHERE title ILIKE 'a%' ORDER BY id", on="p"),
    C("SELECT id FROM products WHERE sku LIKE '%!_%' ESCAPE '!'"),
    C("SELECT id FROM orders WHERE note LIKE '%100\\%%'", on="pm"),
    C("SELECT id FROM customers WHERE name LIKE '%' || ? || '%' ORDER BY id", ("nn",), on="s"),
    C("SELECT id FROM orders WHERE placed_at >= ? ORDER BY id", (DAY,), on="pm"),
    C("SELECT id FROM orders WHERE placed_at < '2024-01-02' ORDER BY id"),
    C("SELECT id FROM customers WHERE joined = '2023-01-01' ORDER BY id"),
    C("SELECT id FROM customers WHERE email IS NOT DISTINCT FROM ? ORDER BY id", (None,), on="p"),
    C("SELECT id FROM customers WHERE email <=> ?", ("ann@x.org",), on="m"),
    C("SELECT id FROM products WHERE price = 99.99 ORDER BY id", on="pm"),
    C("SELECT id FROM products WHERE LOWER(title) = ? ORDER BY id", ("anvil",)),
    C("SELECT id FROM customers WHERE id = ANY(?) ORDER BY id", ([1, 3],), on="p"),
    C("SELECT id FROM customers WHERE city = ANY(?) ORDER BY id", (["Oslo", None],), on="p"),
    C("SELECT id FROM customers WHERE id = ANY(?)", ([],), on="p"),
    C("SELECT id FROM customers WHERE id = ANY(?)", (None,), on="p"),
    C("SELECT id FROM customers WHERE NOT id = ANY(?) ORDER BY id", ([1, 3],), on="p"),
    C("SELECT id FROM customers WHERE city <> ALL(?) ORDER BY id", (["Oslo"],), on="p"),
    C("DELETE FROM visits WHERE customer_id = ANY(?)", ([1, 9],), on="p"),
    # Aggregates
    C("SELECT COUNT(*) FROM customers"),
    C("SELECT COUNT(*), COUNT(email), COUNT(DISTINCT city) FROM customers"),
    C("SELECT SUM(total), MIN(total), MAX(total), AVG(total) FROM orders"),
    C("SELECT SUM(total) FROM orders WHERE status = 'nothing'"),
    C("SELECT COALESCE(SUM(total), 0) FROM orders WHERE customer_id = ?", (99,)),
    C("SELECT status, COUNT(*) AS n FROM orders GROUP BY status ORDER BY n DESC, status"),
    C("SELECT status, COUNT(*) FROM orders GROUP BY status HAVING COUNT(*) > 1"),
    C("SELECT customer_id, SUM(total) AS spent FROM orders GROUP BY customer_id HAVING SUM(total) > ?", (50,)),
    C("SELECT city, vip, COUNT(*) FROM customers GROUP BY city, vip"),
    C("SELECT LOWER(name) AS n, COUNT(*) FROM customers GROUP BY LOWER(name)"),
    C("SELECT MAX(placed_at) FROM orders"),
    C("SELECT page, AVG(seconds) FROM visits GROUP BY page"),
    C("SELECT SUM(CASE WHEN status = 'paid' THEN 1 ELSE 0 END) AS paid, COUNT(*) AS n FROM orders"),
    C("SELECT COUNT(*) FILTER (WHERE status = 'paid') FROM orders", on="sp"),
    C("SELECT GROUP_CONCAT(name) FROM customers WHERE id = 1", on="sm"),
    C("SELECT STRING_AGG(name, ',') FROM customers WHERE id = 1", on="p"),
    C("SELECT DATE(placed_at), COUNT(*) FROM orders GROUP BY DATE(placed_at)"),
    C("SELECT EXTRACT(YEAR FROM placed_at) AS y, COUNT(*) FROM orders GROUP BY EXTRACT(YEAR FROM placed_at)", on="m"),
    C("SELECT strftime('%Y', placed_at) AS y, COUNT(*) FROM orders GROUP BY y", on="s"),
    C("SELECT YEAR(placed_at), MONTH(placed_at) FROM orders ORDER BY id", on="m"),
    C("SELECT DATE_TRUNC('day', placed_at) FROM orders ORDER BY id", on="p"),
    # Order and limits
    C("SELECT id FROM customers ORDER BY city DESC, id"),
    C("SELECT id FROM customers ORDER BY joined DESC NULLS LAST, id", on="sp"),
    C("SELECT id FROM customers ORDER BY city IS NULL, city, id", on="sm"),
    C("SELECT id FROM customers ORDER BY CASE WHEN vip THEN 0 ELSE 1 END, id"),
    C("SELECT id FROM customers ORDER BY id LIMIT 2"),
    C("SELECT id FROM customers ORDER BY id LIMIT ? OFFSET ?", (2, 1)),
    C("SELECT id FROM customers ORDER BY id LIMIT 1, 2", on="sm"),
    C("SELECT name, id FROM customers ORDER BY 2 DESC LIMIT 3"),
    C("SELECT id, COALESCE(total, -1) AS t FROM orders ORDER BY t, id"),
    # Joins
    C("SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.id"),
    C("SELECT o.id, c.name FROM orders o LEFT JOIN customers c ON c.id = o.customer_id ORDER BY o.id"),
    C(
        "SELECT c.name, COUNT(o.id) AS n FROM customers c LEFT JOIN orders o ON o.customer_id = c.id"
        " GROUP BY c.id, c.name ORDER BY c.id"
    ),
    C("SELECT c.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.id IS NULL ORDER BY c.id"),
    C(
        "SELECT c.name, p.title, i.quantity FROM order_items i JOIN orders o ON o.id = i.order_id"
        " JOIN products p ON p.id = i.product_id JOIN customers c ON c.id = o.customer_id ORDER BY o.id, p.id"
    ),
    C("SELECT c.name, r.name AS referrer FROM customers c JOIN customers r ON r.id = c.referrer_id ORDER BY c.id"),
    C(
        "SELECT c.name, r.name FROM customers c LEFT JOIN customers r ON r.id = c.referrer_id AND r.vip = TRUE"
        " ORDER BY c.id"
    ),
    C("SELECT a.id, b.id FROM customers a, customers b WHERE a.city = b.city AND a.id < b.id", not_proven=""),
    C("SELECT o.id, c.name FROM orders o, customers c WHERE c.id = o.customer_id ORDER BY o.id"),
    C("SELECT o.id, c.id FROM orders o RIGHT JOIN customers c ON c.id = o.customer_id ORDER BY c.id, o.id"),
    C("SELECT o.id, c.id FROM orders o FULL JOIN customers c ON c.id = o.customer_id", on="sp"),
    C(
        "SELECT c.id, p.id FROM customers c CROSS JOIN products p WHERE c.vip = TRUE AND p.stock > 0"
        " ORDER BY c.id, p.id"
    ),
    C(
        "SELECT o.id, i.quantity, p.sku FROM orders o JOIN order_items i ON i.order_id = o.id"
        " CROSS JOIN products p WHERE p.id = i.product_id ORDER BY o.id, p.id"
    ),
    C("SELECT c.name, v.page FROM customers c JOIN visits v ON v.customer_id = c.id ORDER BY c.id, v.page"),
    C(
        "SELECT i.order_id, o.status FROM order_items i JOIN orders o ON o.id = i.order_id AND o.total > i.quantity"
        " ORDER BY i.order_id, i.product_id"
    ),
    C("SELECT * FROM order_items i JOIN (SELECT total, id AS order_id FROM orders) o USING (order_id)"),
    C(
        "SELECT * FROM order_items LEFT JOIN (SELECT quantity, product_id, order_id FROM order_items) o"
        " USING (order_id, product_id)"
    ),
    C("SELECT c.*, v.page FROM customers c JOIN (SELECT customer_id AS id, page FROM visits) v USING (id)"),
    C("SELECT id FROM orders WHERE customer_id = ANY (SELECT id FROM customers WHERE vip = TRUE)", on="pm"),
    C("SELECT id FROM orders WHERE customer_id <> ALL (SELECT referrer_id FROM customers)", on="pm"),
    C("SELECT id FROM products WHERE stock >= ALL (SELECT stock FROM products)", on="pm"),
    C("SELECT SUBSTRING(name FROM 2 FOR 3), SUBSTRING(name FROM ?) FROM customers ORDER BY id", (2,), on="pm"),
    C("SELECT id, SUM(stock) OVER w AS s FROM products WINDOW w AS (PARTITION BY active ORDER BY id) ORDER BY id"),
    C(
        "SELECT id, SUM(stock) OVER v AS s, MAX(stock) OVER w AS m FROM products WINDOW w AS (PARTITION"
        " BY active), v AS (w ORDER BY id)"
    ),
    C(
        "SELECT x.id FROM (SELECT id, COUNT(*) OVER (w ORDER BY id) AS n FROM orders WINDOW w AS"
        " (PARTITION BY status)) x WHERE x.n > ?",
        (1,),
    ),
    C("SELECT id FROM orders UNION SELECT id + 1 FROM orders EXCEPT SELECT 2 ORDER BY id", on="p"),
    C("SELECT id FROM orders UNION ALL (SELECT id FROM products UNION SELECT id FROM customers) ORDER BY id", on="p"),
    C("SELECT id FROM orders WHERE id IN (SELECT id FROM products EXCEPT SELECT ? EXCEPT SELECT 2)", (1,), on="p"),
    C(
        "(SELECT id FROM orders ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM orders ORDER BY id DESC LIMIT 2)",
        on="pm",
    ),
    C("SELECT COALESCE(city, 'none') AS town, COUNT(*) AS n FROM customers GROUP BY COALESCE(city, 'none')"),
    C("SELECT c.*, o.id AS order_id FROM customers c JOIN orders o ON o.customer_id = c.id ORDER BY o.id"),
    # Subqueries
    C("SELECT id FROM customers WHERE id IN (SELECT customer_id FROM orders) ORDER BY id"),
    # tables of a comma, of which the query around has one too
    C(
        "SELECT id FROM customers WHERE id IN (SELECT customers.id FROM customers, orders "
        "WHERE orders.customer_id = customers.id AND orders.total > ?) ORDER BY id",
        (5,),
    ),
    C("SELECT id FROM customers WHERE EXISTS (SELECT 1 FROM customers,orders WHERE orders.customer_id = customers.id)"),
    C("SELECT id, (SELECT COUNT(*) FROM customers,orders WHERE orders.customer_id = customers.id) AS n FROM customers"),
    C(
        "UPDATE customers SET city = ? WHERE id IN (SELECT customers.id FROM customers, orders "
        "WHERE orders.customer_id = customers.id)",
        ("x",),
        on="sp",
    ),
    C(
        "DELETE FROM visits WHERE customer_id IN (SELECT visits.customer_id FROM visits, orders "
        "WHERE orders.customer_id = visits.customer_id)",
        on="sp",
    ),
    C("SELECT price / 2 AS a, price * 1.5 AS b, price - 0.1 AS c FROM products ORDER BY id", on="pm"),
    C(
        "SELECT SUM(price * stock) AS a, MAX(price) - MIN(price) AS b, SUM(price) / COUNT(*) AS c FROM products",
        on="pm",
    ),
    C("SELECT ROUND(100.0 * COUNT(*) / 3, 2) AS a FROM products", on="pm"),
    C("SELECT weight * 1.5 AS a FROM products ORDER BY id", on="p", not_proven="p"),
    C("SELECT 1.5 AS f, TRUE AS t, NULL AS n FROM customers", on="sp"),
    C("SELECT price::float8 AS p, weight::real AS w, stock::bigint AS s FROM products ORDER BY id", on="p"),
    C("SELECT AVG(weight) AS a, SUM(price) AS s, MAX(weight) AS m FROM products"),
    C("SELECT array_agg(weight) AS w, array_agg(price) AS p FROM products WHERE stock > 2", on="p"),
    C("SELECT array_agg(name) AS names FROM customers WHERE city = ?", ("Oslo",), on="p"),
    C("SELECT array_agg(name ORDER BY id DESC) AS names FROM customers", on="p"),
    C("SELECT array_agg(DISTINCT city ORDER BY city DESC NULLS LAST) AS cities FROM customers", on="p"),
    C("SELECT json_agg(json_build_object('n', name, 'c', city) ORDER BY city, id DESC) AS j FROM customers", on="p"),
    C("SELECT id FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)"),
    C(
        "SELECT id FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)"
        " ORDER BY id"
    ),
    C("SELECT id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY id"),
    C(
        "SELECT id FROM customers c WHERE NOT EXISTS (SELECT * FROM orders o WHERE o.customer_id ="
        " c.id AND o.total > ?)"
        " ORDER BY id",
        (50,),
    ),
    C(
        "SELECT id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o JOIN order_items i ON i.order_id = o.id"
        " WHERE o.customer_id = c.id AND i.quantity > 1) ORDER BY id"
    ),
    C("SELECT id FROM orders WHERE total = (SELECT MAX(total) FROM orders) ORDER BY id"),
    C("SELECT id, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) AS n FROM customers c ORDER BY id"),
    C("SELECT id FROM customers c WHERE (SELECT COUNT(*) FROM orders WHERE customer_id = c.id) > 1"),
    C("SELECT id FROM orders o WHERE total > (SELECT AVG(total) FROM orders p WHERE p.status = o.status)"),
    C("SELECT EXISTS (SELECT 1 FROM customers WHERE email = ?)", ("ann@x.org",)),
    C("SELECT COUNT(*) FROM (SELECT DISTINCT city FROM customers) AS cities"),
    C(
        "SELECT spent.customer_id, spent.s FROM (SELECT customer_id, SUM(total) AS s FROM orders GROUP BY customer_id)"
        " AS spent WHERE spent.s > 50"
    ),
    C(
        "SELECT c.name, spent.s FROM customers c LEFT JOIN (SELECT customer_id, SUM(total) AS s FROM orders"
        " GROUP BY customer_id) AS spent ON spent.customer_id = c.id ORDER BY c.id"
    ),
    C("SELECT * FROM (SELECT id, name FROM customers WHERE vip = TRUE) AS v ORDER BY id"),
    C(
        "SELECT id FROM products WHERE id IN (SELECT product_id FROM order_items WHERE order_id IN"
        " (SELECT id FROM orders WHERE status = 'paid')) ORDER BY id"
    ),
    C("SELECT order_id FROM order_items WHERE (order_id, product_id) IN (SELECT id, id FROM orders)"),
    C(
        "SELECT name FROM customers GROUP BY name HAVING COUNT(*) > (SELECT COUNT(*) FROM visits WHERE seconds > 100)"
        " ORDER BY name",
        on="sp",
    ),
    # Set operations and WITH
    C("SELECT id FROM customers UNION SELECT id FROM orders ORDER BY id"),
    C("SELECT name, 'c' AS kind FROM customers UNION ALL SELECT title, 'p' FROM products"),
    C("SELECT city FROM customers UNION SELECT name FROM customers UNION SELECT title FROM products"),
    C("SELECT id FROM customers INTERSECT SELECT customer_id FROM orders"),
    C("SELECT id FROM customers EXCEPT SELECT customer_id FROM orders"),
    C("SELECT id, total AS t FROM orders UNION ALL SELECT id, stock FROM products ORDER BY 2, 1 LIMIT 3", on="s"),
    C(
        "WITH paid AS (SELECT customer_id, total FROM orders WHERE status = ?) SELECT c.name, paid.total"
        " FROM customers c JOIN paid ON paid.customer_id = c.id ORDER BY c.id, paid.total",
        ("paid",),
    ),
    C(
        "WITH a AS (SELECT id FROM customers WHERE vip = TRUE), b AS (SELECT id FROM a WHERE id > 1)"
        " SELECT COUNT(*) FROM b"
    ),
    C(
        "WITH t AS (SELECT customer_id, COUNT(*) AS n FROM orders GROUP BY customer_id)"
        " SELECT t.customer_id, u.n FROM t JOIN t AS u ON u.customer_id = t.customer_id"
    ),
    C("WITH RECURSIVE nums(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM nums WHERE n < 5) SELECT n FROM nums"),
    C(
        "WITH RECURSIVE chain(id, name) AS (SELECT id, name FROM customers WHERE referrer_id IS NULL UNION ALL"
        " SELECT c.id, c.name FROM customers c JOIN chain ON chain.id = c.referrer_id) SELECT id, name FROM chain"
    ),
    # Window functions
    C("SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS r FROM orders ORDER BY id"),
    C(
        "SELECT id, RANK() OVER (PARTITION BY status ORDER BY total DESC) AS r FROM orders WHERE total IS NOT NULL"
        " ORDER BY id"
    ),
    C("SELECT id, SUM(total) OVER (PARTITION BY customer_id) FROM orders ORDER BY id"),
    C("SELECT id, LAG(total) OVER (ORDER BY id) AS before_it FROM orders ORDER BY id"),
    C(
        "SELECT id, SUM(total) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders"
        " ORDER BY id"
    ),
    C("SELECT id, AVG(total) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM orders ORDER BY id"),
    # INSERT
    C("INSERT INTO customers (name) VALUES (?)", ("New",)),
    C("INSERT INTO customers (name, email, city, vip) VALUES (?, ?, NULL, TRUE)", ("New", None)),
    C("INSERT INTO customers (id, name, joined) VALUES (?, 'k', ?)", (50, "2025-01-01"), on="pm"),
    C("INSERT INTO products (sku, price, stock) VALUES ('Z', 5, ?)", (7,)),
    C("INSERT INTO products (sku, title, price) VALUES ('X', ?, 1), ('Y', 'y', 2.50)", (None,)),
    C("INSERT INTO visits (customer_id, page) VALUES (?, ?)", (None, "new")),
    C("INSERT INTO orders (customer_id, placed_at, status) VALUES (?, ?, ?)", (1, DAY, "new"), on="pm"),
    C("INSERT INTO orders (customer_id, placed_at, status) VALUES (1, '2024-05-05 05:05:05', LOWER(?))", ("NEW",)),
    C("INSERT INTO visits (customer_id, page) SELECT id, name FROM customers WHERE vip = TRUE"),
    C("INSERT INTO visits (customer_id, seconds) SELECT customer_id, COUNT(*) FROM orders GROUP BY customer_id"),
    C("INSERT OR IGNORE INTO customers (id, name) VALUES (1, 'again')", on="s"),
    C("INSERT OR REPLACE INTO visits (customer_id, page) VALUES (1, 'again')", on="s"),
    C("REPLACE INTO products (id, sku, price) VALUES (2, 'new', 1)", on="s"),
    C("INSERT IGNORE INTO customers (id, name) VALUES (?, 'again')", (1,), on="m"),
    C("INSERT INTO customers (id, name) VALUES (1, 'again') ON CONFLICT DO NOTHING", on="sp"),
    C("INSERT INTO customers (id, name) VALUES (1, 'again') ON CONFLICT (id) DO NOTHING", on="sp"),
    C(
        "INSERT INTO products (sku, title, price) VALUES (?, ?, 1) ON CONFLICT (sku) DO UPDATE SET"
        " title = excluded.title, stock = products.stock + 1",
        ("A-1", "renamed"),
        on="sp",
    ),
    C(
        "INSERT INTO products (sku, price) VALUES ('A-1', 1) ON CONFLICT (sku) DO UPDATE SET price = excluded.price"
        " WHERE products.stock > 5",
        on="sp",
    ),
    C(
        "INSERT INTO products (sku, title, price) VALUES (?, ?, 1) ON DUPLICATE KEY UPDATE title = VALUES(title),"
        " stock = stock + 1",
        ("A-1", "renamed"),
        on="m",
    ),
    C("INSERT INTO customers (name) VALUES (?) RETURNING id", ("New",), on="sp"),
    C("INSERT INTO customers (name) VALUES ('a'), ('b') RETURNING id, name, vip", on="sp"),
    C(
        "INSERT INTO products (sku, price) VALUES ('A-1', 1) ON CONFLICT (sku) DO UPDATE SET stock = 9"
        " RETURNING id, stock",
        on="sp",
    ),
    # UPDATE
    C("UPDATE products SET stock = stock + ? WHERE id = ?", (5, 1)),
    C("UPDATE products SET stock = 0, active = FALSE WHERE stock < 0"),
    C("UPDATE customers SET city = ? WHERE city IS NULL", ("Nowhere",)),
    C("UPDATE customers SET email = NULL WHERE id IN (1, 4)"),
    C("UPDATE orders SET status = CASE WHEN total > 50 THEN 'big' ELSE 'small' END"),
    C("UPDATE orders SET status = 'late' WHERE placed_at < '2024-01-01'"),
    C("UPDATE orders SET total = (SELECT SUM(quantity) FROM order_items WHERE order_id = orders.id)"),
    C("UPDATE orders SET note = 'vip' WHERE customer_id IN (SELECT id FROM customers WHERE vip = TRUE)"),
    C("UPDATE orders SET note = 'items' WHERE EXISTS (SELECT 1 FROM order_items WHERE order_id = orders.id)"),
    C("UPDATE orders SET note = c.name FROM customers c WHERE c.id = orders.customer_id", on="sp"),
    C("UPDATE products SET title = LOWER(title) WHERE title IS NOT NULL"),
    C("UPDATE customers SET balance = balance + 1 WHERE id = ?", (1,), on="pm"),
    C("UPDATE customers SET name = ? WHERE id = ?", ("same", 99)),
    C("UPDATE products SET stock = stock - 1 WHERE id = ? RETURNING stock", (1,), on="sp"),
    C("UPDATE visits SET seconds = seconds * 2 WHERE page = 'home'"),
    # DELETE
    C("DELETE FROM visits"),
    C("DELETE FROM visits WHERE page = ? AND seconds = ?", ("home", 5)),
    C("DELETE FROM visits WHERE customer_id = ?", (None,)),
    C("DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE status = ?)", ("paid",)),
    C("DELETE FROM order_items WHERE NOT EXISTS (SELECT 1 FROM products WHERE products.id = product_id AND stock > 0)"),
    C("DELETE FROM visits WHERE seconds IS NULL OR page LIKE 'c%'"),
    C("DELETE FROM order_items WHERE order_id = 1 RETURNING product_id, quantity", on="sp"),
    C("DELETE FROM order_items USING orders WHERE orders.id = order_items.order_id AND orders.total > 50", on="p"),
    # Dates
    C("SELECT id FROM orders WHERE placed_at > NOW() - INTERVAL '5 minutes'", on="p"),
    C("SELECT id FROM orders WHERE placed_at > NOW() - INTERVAL 5 MINUTE", on="m"),
    C("SELECT id FROM orders WHERE placed_at > DATE_SUB(NOW(), INTERVAL ? DAY)", (3,), on="m"),
    C("SELECT id FROM orders WHERE placed_at < NOW() - '3 month'::INTERVAL ORDER BY id", on="p"),
    C("SELECT id FROM orders WHERE TIMESTAMPDIFF(DAY, placed_at, '2024-01-03') < 5 ORDER BY id", on="m"),
    C("SELECT id FROM orders WHERE placed_at < datetime('now', '-5 days') ORDER BY id", on="s"),
    C("SELECT id FROM orders WHERE placed_at < CURRENT_TIMESTAMP ORDER BY id"),
    C("UPDATE orders SET placed_at = NOW() WHERE id = 99", on="pm"),
    C("SELECT DISTINCT ON (status) status, id FROM orders ORDER BY status, id", on="p"),
    C("SELECT placed_at AT TIME ZONE 'utc' FROM orders WHERE id = 99", on="p"),
)
