from .scaling import *
