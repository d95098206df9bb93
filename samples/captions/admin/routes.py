"""Pages for the head of the archive."""
from flask import Blueprint, jsonify, request

from admin.services.curators import CuratorService
from admin.services.photos import PhotoService
from database import db_manager
from models import AuditEntry, Curator

admin_bp = Blueprint('admin', __name__, url_prefix='/admin')


@admin_bp.route('/curators', methods=['GET', 'POST'])
def curators():
    service = CuratorService(db_manager)
    if request.method == 'POST':
        ok, message = service.create(**request.get_json())
        return jsonify({'ok': ok, 'message': message}), 201 if ok else 400
    return jsonify(service.names(request.args.get('role')))


@admin_bp.route('/curators/<name>', methods=['PATCH', 'DELETE'])
def curator(name):
    service = CuratorService(db_manager)
    try:
        if request.method == 'DELETE':
            service.remove(name)
        else:
            service.rename(name, request.get_json()['name'])
    except ValueError as e:
        return jsonify({'error': str(e)}), 404
    return jsonify({'ok': True})


@admin_bp.route('/photos/stats')
def photo_stats():
    return jsonify(PhotoService(db_manager).stats())


@admin_bp.route('/photos/assign', methods=['POST'])
def assign():
    data = request.get_json()
    return jsonify({'assigned': PhotoService(db_manager).assign(data['curator'], data['photos'])})


@admin_bp.route('/audit')
def audit():
    session = db_manager.get_session()
    try:
        entries = session.query(AuditEntry).order_by(AuditEntry.id.desc()).limit(50).all()
        actors = {c.name for c in session.query(Curator)}
    finally:
        session.close()
    return jsonify([e.action if e.actor in actors else f'{e.action} (gone)' for e in entries])
