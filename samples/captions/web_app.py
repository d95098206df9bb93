"""Captions for the photo archive of the museum."""
import logging
from datetime import datetime

from flask import Flask, jsonify, request

from admin.routes import admin_bp
from database import db_manager
from gallery import gallery_bp
from models import AuditEntry, Curator, Photo
from session_managers import request_sessions

app = Flask(__name__)
app.register_blueprint(admin_bp)
app.register_blueprint(gallery_bp)
app.teardown_appcontext(request_sessions.end_request)

logger = logging.getLogger(__name__)


@app.route('/')
def dashboard():
    session = db_manager.get_session()
    try:
        # numbers for the tiles
        total = session.query(Photo).count()
        waiting = session.query(Photo).filter_by(state='proposed').count()

        return jsonify({'total': total, 'waiting': waiting})
    finally:
        session.close()


@app.route('/photos/<int:photo_id>')
def photo(photo_id):
    db_session = db_manager.get_session()
    try:
        found = db_session.query(Photo).filter_by(id=photo_id).first()
        if not found:
            return jsonify({'error': 'no such photo'}), 404
        return jsonify(found.to_dict())
    except Exception as e:
        logger.error(f'photo {photo_id}: {e}')
        return jsonify({'error': 'failed'}), 500
    finally:
        db_session.close()


@app.route('/photos/<int:photo_id>/caption', methods=['POST'])
def approve(photo_id):
    """A curator approves a caption, maybe with changes."""
    text = (request.get_json() or {}).get('caption', '').strip()

    session = db_manager.get_session()
    try:
        found = session.get(Photo, photo_id)
        if found is None:
            return jsonify({'error': 'no such photo'}), 404
        if not text:
            return jsonify({'error': 'empty caption'}), 400

        found.caption = text
        found.state = 'approved'   # the nightly job picks it up
        session.add(AuditEntry(actor=request.headers.get('X-Curator'), action=f'approved {photo_id}'))
        session.commit()

        return jsonify({'ok': True, 'state': found.state})
    except Exception as e:
        session.rollback()
        logger.exception('approve %s', photo_id)
        return jsonify({'error': str(e)}), 500
    finally:
        session.close()


@app.route('/photos', methods=['POST'])
def add_photos():
    """Several at once. A bad one is skipped, the others are kept."""
    paths = (request.get_json() or {}).get('paths', [])
    added, skipped = 0, []

    for path in paths:
        session = db_manager.get_session()
        try:
            session.add(Photo(path=path.strip()))
            session.commit()
            added += 1
        except AttributeError:
            session.rollback()
            skipped.append(path)
        finally:
            session.close()

    return jsonify({'added': added, 'skipped': skipped})


@app.route('/photos/<int:photo_id>/preview', methods=['POST'])
def preview(photo_id):
    """How the caption would look. Stores nothing."""
    session = db_manager.get_session()
    try:
        found = session.query(Photo).filter(Photo.id == photo_id).one()
        found.caption = (request.get_json() or {}).get('caption')
        found.state = 'approved'
        # no commit: it is a preview
        return jsonify(found.to_dict())
    finally:
        session.close()


@app.route('/curators/<name>/seen', methods=['POST'])
def seen(name):
    session = db_manager.get_session()
    try:
        curator = session.query(Curator).filter_by(name=name).first()
        if curator:
            curator.last_seen = datetime.now()
            session.commit()
    except Exception as e:
        # not worth a failed page
        logger.warning('seen: %s', e)
        session.rollback()
    finally:
        if session:
            session.close()
    return '', 204


def load_curator(name):
    """For the login: the curator outlives the session."""
    session = db_manager.get_session()
    try:
        return session.query(Curator).filter_by(name=name).first()
    finally:
        session.close()


@app.route('/login/<name>', methods=['POST'])
def login(name):
    curator = load_curator(name)
    if curator is None or not curator.active:
        return jsonify({'error': 'unknown'}), 403
    return jsonify({'name': curator.name, 'role': curator.role})


@app.route('/export')
def export():
    session = db_manager.get_session()

    def lines():
        # runs while the answer is sent, long after export() has returned
        try:
            for found in session.query(Photo).order_by(Photo.id):
                yield f'{found.id};{found.caption or ""}\n'
        finally:
            session.close()

    return app.response_class(lines(), mimetype='text/csv')
