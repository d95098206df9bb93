"""Photos in bulk."""
from sqlalchemy import func

from models import Curator, Photo


class PhotoService:

    def __init__(self, db_manager):
        self.db_manager = db_manager
        self._session = None

    def stats(self):
        """{state: how many}"""
        session = self.db_manager.get_session()
        try:
            def count(state):
                return session.query(func.count(Photo.id)).filter(Photo.state == state).scalar()

            return {state: count(state) for state in ('new', 'proposed', 'approved')}
        finally:
            session.close()

    def assign(self, name, photo_ids):
        session = self.db_manager.get_session()
        try:
            curator = session.query(Curator).filter_by(name=name).one_or_none()
            if curator is None: return 0
            done = 0
            for photo in session.query(Photo).filter(Photo.id.in_(photo_ids)):
                photo.curator = curator; done += 1
            session.commit()
            return done
        finally: session.close()

    def unassigned(self):
        session = self.db_manager.get_session()
        photos = session.query(Photo).filter(Photo.curator_id.is_(None)).all()
        result = [photo.path for photo in photos]
        session.close()
        return result

    def first_of(self, state):
        """The photo itself; callers read its columns."""
        session = self.db_manager.get_session()
        try:
            return session.query(Photo).filter_by(state=state).order_by(Photo.id).first()
        finally:
            self.db_manager.close_session(session)

    def begin_batch(self):
        # closed by end_batch
        self._session = self.db_manager.get_session()
        return self._session

    def end_batch(self):
        self._session.commit()
        self._session.close()
        self._session = None
