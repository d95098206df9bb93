"""Tables of the print shop."""
from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, String, Text, func
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Job(Base):
    """A print job on its way from intake (1) over proof (2) and preflight (3) to press (4)."""
    __tablename__ = 'jobs'

    id = Column(Integer, primary_key=True)
    ticket = Column(String(40), unique=True, nullable=False, index=True)
    title = Column(String(200), nullable=False)
    customer = Column(String(120))
    stage = Column(Integer, nullable=False, server_default='1')
    sheets = Column(Integer, nullable=False, server_default='0')
    rush = Column(Boolean, nullable=False, server_default='0')

    # proof
    proof_marks = Column(Text)                # JSON
    proof_passed_at = Column(DateTime)
    proof_passed_by = Column(String(50))

    # preflight report, written by the checker
    preflight = Column(Text)                  # JSON
    created_at = Column(DateTime, server_default=func.current_timestamp())

    entries = relationship('LogEntry', back_populates='job', cascade='all, delete-orphan')


class LogEntry(Base):
    __tablename__ = 'job_log'

    id = Column(Integer, primary_key=True)
    job_id = Column(Integer, ForeignKey('jobs.id'), nullable=False)
    author = Column(String(50), nullable=False)
    remark = Column(Text)
    logged_at = Column(DateTime, server_default=func.current_timestamp())

    job = relationship('Job', back_populates='entries')


class Setting(Base):
    __tablename__ = 'settings'

    key = Column(String(60), primary_key=True)
    value = Column(Text)
