"""`doctor`: what is missing, broken or in the way, each with what mends it. Changes nothing."""

from deployer.commands.doctor.examination import examine as examine
from deployer.commands.doctor.finding import Finding as Finding
