import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from models import Base

DATABASE_URL = os.environ.get('CAPTIONS_DB', 'sqlite:///captions.db')


class DatabaseManager:
    """Engine and sessions. Whoever asks for a session closes it!"""

    def __init__(self, url=DATABASE_URL):
        self.engine = create_engine(url)
        self.SessionFactory = sessionmaker(bind=self.engine)

    def create_tables(self):
        Base.metadata.create_all(self.engine)

    def get_session(self):
        return self.SessionFactory()

    def close_session(self, session):
        if session:
            session.close()


db_manager = DatabaseManager()
