import datetime

from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, String, Text
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Curator(Base):
    __tablename__ = 'curators'

    id = Column(Integer, primary_key=True)
    name = Column(String(80), unique=True, nullable=False)
    email = Column(String(120))
    active = Column(Boolean, default=True, nullable=False)
    role = Column(String(20), default='writer', nullable=False)
    last_seen = Column(DateTime)

    photos = relationship('Photo', back_populates='curator')

    def __repr__(self):
        return f'<Curator {self.name}>'


class Photo(Base):
    __tablename__ = 'photos'

    id = Column(Integer, primary_key=True)
    path = Column(String(300), nullable=False)
    caption = Column(Text)
    proposed = Column(Text)
    state = Column(String(20), default='new', nullable=False)
    curator_id = Column(Integer, ForeignKey('curators.id'))
    changed_at = Column(DateTime, default=datetime.datetime.now, onupdate=datetime.datetime.now)

    curator = relationship('Curator', back_populates='photos')

    def to_dict(self):
        return {'id': self.id, 'path': self.path, 'caption': self.caption, 'state': self.state}


class AuditEntry(Base):
    __tablename__ = 'audit'

    id = Column(Integer, primary_key=True)
    actor = Column(String(80))
    action = Column(String(200), nullable=False)
