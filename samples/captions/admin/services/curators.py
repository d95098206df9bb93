"""Curators: create, list, rename, remove."""
import logging

from sqlalchemy.exc import IntegrityError

from models import AuditEntry, Curator, Photo

logger = logging.getLogger(__name__)


class CuratorService:
    def __init__(self, db_manager):
        self.db_manager = db_manager

    def names(self, role=None):
        session = self.db_manager.get_session()
        try:
            query = session.query(Curator)
            if role:
                query = query.filter(Curator.role == role)

            return [curator.name for curator in query.order_by(Curator.name)]
        except Exception as e:
            logger.error(f'names: {e}')
            return []
        finally:
            session.close()

    def create(self, name, email=None, role='writer'):
        """(True, name) or (False, what is wrong)."""
        session = self.db_manager.get_session()
        try:
            session.add(Curator(name=name, email=email, role=role))
            session.commit()
            return True, name
        except IntegrityError:
            session.rollback()
            return False, f'{name} exists'
        finally:
            session.close()

    def remove(self, name):
        session = self.db_manager.get_session()
        try:
            curator = session.query(Curator).filter_by(name=name).first()
            if not curator:
                raise ValueError(f'no curator {name}')

            # photos stay, without a curator
            session.query(Photo).filter_by(curator_id=curator.id).update({'curator_id': None})
            session.delete(curator)
            session.commit()
        except Exception:
            session.rollback()
            raise
        finally:
            session.close()

    def rename(self, name, new_name):
        session = self.db_manager.get_session()
        try:
            curator = session.query(Curator).filter_by(name=name).first()
            if not curator:
                raise ValueError(f'no curator {name}')
            curator.name = new_name
            self._note(session, f'{name} is now {new_name}')
            session.commit()
        finally:
            session.close()
            logger.info('rename done')

    def _note(self, session, action):
        session.add(AuditEntry(actor='admin', action=action))
