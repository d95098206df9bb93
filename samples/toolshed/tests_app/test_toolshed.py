"""What the desk relies on: values and their types, what is stored, what is raised."""
import json

import pytest

from toolshed import app, fees, loans, members, reports, tools, upkeep


def same(found, expected):
    """Equal in value and in type, all the way down."""
    assert found == expected
    assert repr(found) == repr(expected)


# Members

def test_a_member_is_found_with_the_types_of_the_database(shed, rows):
    same(members.find(shed['ann']), {
        'id': 1, 'name': 'Ann', 'email': 'ann@example.org', 'street': 'Elm Street 1', 'joined': '2023-02-03', 'active': 1,
    })
    same(members.find(99), None)
    same(rows('SELECT * FROM members WHERE id = 2'), [(2, 'Bob', 'bob@example.org', None, '2023-12-31', 1)])


def test_nobody_joins_twice(shed, rows):
    with pytest.raises(members.AlreadyMember):
        members.join('Ann too', 'ANN@example.org', None, '2024-01-01')
    assert rows('SELECT COUNT(*) FROM members') == [(3,)]


def test_email(shed):
    same(members.by_email('ANN@example.org'), 1)
    same(members.by_email('nobody@example.org'), None)


@pytest.mark.parametrize(('text', 'found'), [
    ('Elm', ['Ann, Elm Street 1']), ('b', ['Bob, ?']), ('lane', ['Ève 100%, Oak Lane 7']), ('zzz', []), ('%', None),
])
def test_search(shed, text, found):
    assert members.search(text) == (found if found is not None else members.search(''))


def test_leaving(shed):
    same(members.leave(shed['bob']), True)
    same(members.leave(shed['bob']), False)
    same(members.leave(99), False)
    same(members.count_active(), 2)
    same(members.search('Bob'), ['Bob, ? (gone)'])


def test_moving(shed):
    members.move(shed['bob'], 'Ash Road 2')
    members.move(shed['ann'], None)
    same(members.search('Ash'), ['Bob, Ash Road 2'])
    same(members.find(1)['street'], None)


def test_joined_in(shed):
    same(members.joined_in(2023), [('Ann', '2023-02-03'), ('Bob', '2023-12-31')])
    same(members.joined_in(1999), [])


def test_skills(shed):
    same(members.can(shed['ann'], 'saw'), 0)
    members.teach(shed['ann'], 'saw', 2)
    members.teach(shed['ann'], 'saw', 3)
    members.teach(shed['eve'], 'saw', 3)
    members.teach(shed['bob'], 'saw', 1)
    same(members.can(shed['ann'], 'saw'), 3)
    same(members.teachers('saw'), ['Ann (3)', 'Ève 100% (3)'])


# Tools

def test_tools_are_numbered(shed):
    same(tools.number_of('saw-1'), 3)
    same(tools.number_of('hammer'), None)


def test_a_label_is_painted_once(shed, rows):
    with pytest.raises(Exception, match='UNIQUE'):
        tools.add('drill-1', 'drill')
    assert rows('SELECT COUNT(*) FROM tools') == [(5,)]


def test_description(shed):
    same(tools.describe('drill-1'), 'drill, good, 89.90')
    tools.set_condition('saw-1', 'worn', 'lost a tooth')
    tools.set_condition('saw-1', 'broken')
    same(tools.describe('saw-1'), 'saw, broken, lost a tooth')
    same(tools.describe('hammer'), 'no such tool')
    with pytest.raises(ValueError, match='lost'):
        tools.set_condition('saw-1', 'lost')


def test_kinds_and_worth(shed):
    same(tools.kinds(), {'drill': 2, 'ladder': 1, 'saw': 2})
    same(tools.worth(), 209.9)


def test_worth_of_nothing_is_an_int():
    same(tools.worth(), 0)


def test_scrap(shed):
    same(tools.scrap('saw-2'), 0)
    tools.set_condition('saw-2', 'broken')
    same(tools.scrap('saw-2'), 1)
    same(tools.kinds()['saw'], 1)


def test_listing(shed):
    same(tools.listing('kind')[0][:5], 'drill')
    with pytest.raises(ValueError, match='1; DROP'):
        tools.listing('1; DROP')


# Loans

def test_lending_and_taking_back_in_time(shed, rows):
    same(loans.lend(1, shed['ann'], '2024-03-01'), 1)
    same(loans.due_of(1), '2024-03-15')
    same(tools.free('drill'), ['drill-2'])
    same(loans.take_back(1, '2024-03-15'), 0)
    same(rows('SELECT * FROM loans'), [(1, 1, 1, '2024-03-01', '2024-03-15', '2024-03-15')])
    same(tools.free('drill'), ['drill-1', 'drill-2'])
    assert rows('SELECT * FROM fees') == []


def test_late(shed, rows):
    loans.lend(1, shed['ann'], '2024-02-01')
    same(loans.take_back(1, '2024-02-18'), 150)
    same(rows('SELECT member_id, loan_id, cents, reason, paid FROM fees'), [(1, 1, 150, 'late', None)])
    with pytest.raises(loans.NotPossible, match='is not out'):
        loans.take_back(1, '2024-02-19')


def test_what_is_not_possible(shed, rows):
    loans.lend(1, shed['ann'], '2024-03-01')
    with pytest.raises(loans.NotPossible, match='is out'):
        loans.lend(1, shed['eve'], '2024-03-01')
    members.leave(shed['bob'])
    for nobody in (shed['bob'], 99):
        with pytest.raises(loans.NotPossible, match='no member'):
            loans.lend(2, nobody, '2024-03-01')
    assert rows('SELECT COUNT(*) FROM loans') == [(1,)]


def test_a_tool_that_is_not_there_is_not_lent(shed, rows):
    with pytest.raises(Exception, match='FOREIGN KEY'):
        loans.lend(99, shed['ann'], '2024-03-01')
    assert rows('SELECT COUNT(*) FROM loans') == [(0,)]


def test_extending(shed):
    loans.lend(1, shed['ann'], '2024-02-20')
    same(loans.extend(1, 7), True)
    same(loans.due_of(1), '2024-03-12')
    loans.ask_for(1, shed['bob'])
    same(loans.extend(1, 7), False)
    same(loans.extend(99, 7), False)


def test_at_home_and_overdue(shed):
    loans.lend(3, shed['ann'], '2024-03-02')
    loans.lend(1, shed['ann'], '2024-03-01')
    loans.lend(2, shed['eve'], '2024-03-05')
    same(loans.out(shed['ann']), [('drill-1', '2024-03-15'), ('saw-1', '2024-03-16')])
    same(loans.overdue('2024-03-17'), {'ann@example.org': ['drill-1', 'saw-1']})
    same(loans.overdue('2024-03-15'), {})


def test_queue(shed, rows):
    same(loans.next_in_queue(1), None)
    same(loans.ask_for(1, shed['eve']), True)
    same(loans.ask_for(1, shed['bob']), True)
    same(loans.ask_for(1, shed['eve']), False)
    same(loans.next_in_queue(1), 'Ève 100%')
    loans.lend(1, shed['eve'], '2024-03-01')
    same(loans.next_in_queue(1), 'Bob')
    ((asked,),) = rows('SELECT asked FROM queue')
    assert len(asked) == len('2024-01-01 00:00:00'), 'the database writes its own time'


# Fees

def test_fees(shed):
    same(fees.owed(shed['ann']), 0)
    fees.charge(shed['ann'], 250, 'lost bit')
    fees.charge(shed['ann'], 100, 'late')
    fees.charge(shed['bob'], 300, 'late')
    same(fees.owed(shed['ann']), 350)
    same(fees.debtors(300), [('Ann', 350), ('Bob', 300)])
    same(fees.debtors(301), [('Ann', 350)])
    same(fees.pay(shed['ann'], '2024-03-03 10:00:00'), 2)
    same(fees.pay(shed['ann'], '2024-03-03 10:00:00'), 0)
    fees.charge(shed['ann'], 5, 'dirt')
    same(fees.receipt(shed['ann']), [
        'lost bit     2.50  2024-03-03', 'late         1.00  2024-03-03', 'dirt         0.05  open',
    ])


def test_forgiving(shed, rows):
    loans.lend(1, shed['ann'], '2020-01-01')
    loans.take_back(1, '2020-03-01')
    fees.charge(shed['ann'], 100, 'dirt')
    same(fees.forgive('2020-03-01'), 0)
    same(fees.forgive('2020-03-02'), 1)
    assert rows('SELECT reason FROM fees') == [('dirt',)]


# Reports and upkeep

def test_reports(shed):
    loans.lend(1, shed['ann'], '2024-01-30')
    loans.take_back(1, '2024-02-09')
    loans.lend(1, shed['bob'], '2024-02-10')
    loans.lend(2, shed['eve'], '2024-02-11')
    same(reports.favourites(2), [('drill-1', 2), ('drill-2', 1)])
    same(reports.by_month(2024), {'01': 1, '02': 2})
    same(reports.idle(), ['ladder', 'saw-1', 'saw-2'])
    same(reports.longest(), ('drill-1', 10))
    same(reports.summary(), '3 members, 3 loans, 2 out')


def test_reports_of_nothing():
    same(reports.longest(), None)
    same(reports.favourites(5), [])
    same(reports.summary(), '0 members, 0 loans, 0 out')


def test_files_for_others(shed):
    assert reports.members_csv().splitlines()[:2] == ['number,name,joined,active', '1,Ann,2023-02-03,1']
    told = json.loads(reports.tools_json())
    same(told[0], {'label': 'drill-1', 'kind': 'drill', 'bought': '2020-05-05', 'price': 89.9})
    same(told[1]['price'], 120)


def test_upkeep(shed, rows):
    upkeep.note('ann', 'was here')
    same(upkeep.notes_of('ann'), ['was here'])
    loans.ask_for(1, shed['ann'])
    same(upkeep.forget_queue('2000-01-01'), 0)
    same(upkeep.forget_queue('2999-01-01'), 1)
    loans.lend(1, shed['ann'], '2024-01-30')
    same(upkeep.wear_out(1), 1)
    same(tools.describe('drill-1'), 'drill, worn, 89.90')
    same(upkeep.remind([3, 1]), ['ann@example.org', 'eve@example.org'])
    same(upkeep.remind([]), [])
    upkeep.compact()


# The desk

def test_the_desk(shed, capsys):
    say = lambda *words: app.main(['--today', '2024-03-01', *words])
    assert say('lend', 'drill-1', 'ann@example.org') == 'loan 1, due 2024-03-15'
    assert say('lend', 'drill-1', 'bob@example.org') == 'not possible: is out'
    assert say('lend', 'hammer', 'bob@example.org') == 'who or what?'
    assert say('account', 'ann@example.org') == 'drill-1 until 2024-03-15\nowes 0.00'
    assert say('back', '1') == 'thank you'
    assert say('back', '1') == 'not possible: is not out'
    assert say('summary') == '3 members, 1 loans, 0 out'
    assert 'loan 1' in capsys.readouterr().out
