"""Public pages, read only. They share the request's session where they can."""
from flask import Blueprint, jsonify

from database import db_manager
from models import Photo

gallery_bp = Blueprint('gallery', __name__, url_prefix='/gallery')


@gallery_bp.route('/')
def index():
    session = db_manager.get_session()
    try:
        photos = session.query(Photo).filter_by(state='approved').order_by(Photo.id).all()
        return jsonify([p.to_dict() for p in photos])
    finally:
        session.close()


@gallery_bp.route('/<int:photo_id>/credit')
def credit(photo_id):
    session = db_manager.get_session()
    try:
        found = session.get(Photo, photo_id)
        name = found.curator.name if found and found.curator else 'unknown'
    finally:
        session.close()

    # after the session, it may take long
    return jsonify({'credit': name.title()})
